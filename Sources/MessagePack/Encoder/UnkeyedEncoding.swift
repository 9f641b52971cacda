/// An array while it is encoded.
struct UnkeyedEncoding: UnkeyedEncodingContainer {
    let node: EncodingNode
    let codingPath: [any CodingKey]

    var count: Int { node.count }

    func encodeNil() {
        node.count += 1
        node.body.writeNull()
    }

    func encode(_ value: Bool) {
        node.count += 1
        node.body.write(value)
    }

    func encode(_ value: String) {
        node.count += 1
        node.body.write(value)
    }

    func encode(_ value: Double) {
        node.count += 1
        node.body.write(value)
    }

    func encode(_ value: Float) {
        node.count += 1
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
        let value = try EncodedValue(value, at: elementPath)
        node.count += 1
        value.write(to: &node.body)
    }

    func nestedContainer<Key: CodingKey>(
        keyedBy type: Key.Type
    ) -> KeyedEncodingContainer<Key> {
        nested().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        nested().unkeyedContainer()
    }

    func superEncoder() -> any Encoder { nested() }

    private func nested() -> ValueEncoder {
        let path = elementPath
        node.count += 1
        return ValueEncoder(node: node.appendChild(), codingPath: path)
    }

    private func encode(signed value: some SignedInteger) {
        node.count += 1
        node.body.write(Int64(value))
    }

    private func encode(unsigned value: some UnsignedInteger) {
        node.count += 1
        node.body.write(UInt64(value))
    }

    private var elementPath: [any CodingKey] { codingPath + [PositionKey(node.count)] }
}
