/// The encoder a value encodes itself with.
struct ValueEncoder: Encoder {
    let node: EncodingNode
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.become(.map)
        return KeyedEncodingContainer(KeyedEncoding(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.become(.array)
        return UnkeyedEncoding(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        SingleValueEncoding(node: node, codingPath: codingPath)
    }
}

struct SingleValueEncoding: SingleValueEncodingContainer {
    let node: EncodingNode
    let codingPath: [any CodingKey]

    func encodeNil() {
        node.become(.single)
        node.body.writeNull()
    }

    func encode(_ value: Bool) {
        node.become(.single)
        node.body.write(value)
    }

    func encode(_ value: String) {
        node.become(.single)
        node.body.write(value)
    }

    func encode(_ value: Double) {
        node.become(.single)
        node.body.write(value)
    }

    func encode(_ value: Float) {
        node.become(.single)
        node.body.write(value)
    }

    func encode(_ value: Int) { encode(signed: value) }
    func encode(_ value: Int8) { encode(signed: value) }
    func encode(_ value: Int16) { encode(signed: value) }
    func encode(_ value: Int32) { encode(signed: value) }
    func encode(_ value: Int64) { encode(signed: value) }
    func encode(_ value: UInt) { encode(unsigned: value) }
    func encode(_ value: UInt8) { encode(unsigned: value) }
    func encode(_ value: UInt16) { encode(unsigned: value) }
    func encode(_ value: UInt32) { encode(unsigned: value) }
    func encode(_ value: UInt64) { encode(unsigned: value) }

    func encode(_ value: some Encodable) throws {
        let value = try EncodedValue(value, at: codingPath)
        node.become(.single)
        value.write(to: &node.body)
    }

    private func encode(signed value: some SignedInteger) {
        node.become(.single)
        node.body.write(Int64(value))
    }

    private func encode(unsigned value: some UnsignedInteger) {
        node.become(.single)
        node.body.write(UInt64(value))
    }
}
