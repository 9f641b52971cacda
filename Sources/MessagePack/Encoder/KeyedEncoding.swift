/// A map while it is encoded.
struct KeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: EncodingNode
    let codingPath: [any CodingKey]

    func encodeNil(forKey key: Key) {
        begin(key)
        node.body.writeNull()
    }

    func encode(_ value: Bool, forKey key: Key) {
        begin(key)
        node.body.write(value)
    }

    func encode(_ value: String, forKey key: Key) {
        begin(key)
        node.body.write(value)
    }

    func encode(_ value: Double, forKey key: Key) {
        begin(key)
        node.body.write(value)
    }

    func encode(_ value: Float, forKey key: Key) {
        begin(key)
        node.body.write(value)
    }

    func encode(_ value: Int, forKey key: Key) { encode(signed: value, key) }
    func encode(_ value: Int8, forKey key: Key) { encode(signed: value, key) }
    func encode(_ value: Int16, forKey key: Key) { encode(signed: value, key) }
    func encode(_ value: Int32, forKey key: Key) { encode(signed: value, key) }
    func encode(_ value: Int64, forKey key: Key) { encode(signed: value, key) }
    func encode(_ value: UInt, forKey key: Key) { encode(unsigned: value, key) }
    func encode(_ value: UInt8, forKey key: Key) { encode(unsigned: value, key) }
    func encode(_ value: UInt16, forKey key: Key) { encode(unsigned: value, key) }
    func encode(_ value: UInt32, forKey key: Key) { encode(unsigned: value, key) }
    func encode(_ value: UInt64, forKey key: Key) { encode(unsigned: value, key) }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        let value = try EncodedValue(value, at: codingPath + [key])
        begin(key)
        value.write(to: &node.body)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        nested(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { nested(SuperKey()) }

    func superEncoder(forKey key: Key) -> any Encoder { nested(key) }

    private func nested(_ key: any CodingKey) -> ValueEncoder {
        begin(key)
        return ValueEncoder(node: node.appendChild(), codingPath: codingPath + [key])
    }

    private func encode(signed value: some SignedInteger, _ key: Key) {
        begin(key)
        node.body.write(Int64(value))
    }

    private func encode(unsigned value: some UnsignedInteger, _ key: Key) {
        begin(key)
        node.body.write(UInt64(value))
    }

    private func begin(_ key: any CodingKey) { node.beginPair(key.stringValue) }
}
