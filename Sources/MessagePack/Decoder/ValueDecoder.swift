/// The decoder a value decodes itself with.
struct ValueDecoder: Decoder {
    private let value: SingleValueDecoding

    init(_ value: SingleValueDecoding) { self.value = value }

    init(source: EncodedSource, offset: Int, codingPath: [any CodingKey]) {
        value = SingleValueDecoding(source: source, offset: offset, codingPath: codingPath)
    }

    var codingPath: [any CodingKey] { value.codingPath }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(try KeyedDecoding<Key>(value))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try UnkeyedDecoding(value)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { value }
}
