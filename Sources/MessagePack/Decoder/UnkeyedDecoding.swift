/// An array that is decoded.
struct UnkeyedDecoding: UnkeyedDecodingContainer {
    let codingPath: [any CodingKey]
    private let source: EncodedSource
    private let elements: Int
    private var offset: Int
    private(set) var currentIndex = 0

    init(_ value: SingleValueDecoding) throws {
        let (token, end) = value.source.token(at: value.offset)
        guard case .array(let count) = token else { throw value.mismatch([Any].self) }
        source = value.source
        codingPath = value.codingPath
        elements = count
        offset = end
    }

    var count: Int? { elements }
    var isAtEnd: Bool { currentIndex == elements }

    mutating func decodeNil() throws -> Bool {
        guard try element(Never?.self).decodeNil() else { return false }
        pass()
        return true
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try next { try $0.decode(type) } }
    mutating func decode(_ type: String.Type) throws -> String { try next { try $0.decode(type) } }
    mutating func decode(_ type: Double.Type) throws -> Double { try next { try $0.decode(type) } }
    mutating func decode(_ type: Float.Type) throws -> Float { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int.Type) throws -> Int { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try next { try $0.decode(type) } }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try next { try $0.decode(type) } }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try next { try $0.decode(type) } }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try next { try $0.decode(type) }
    }

    mutating func nestedContainer<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        try next { KeyedDecodingContainer(try KeyedDecoding<Key>($0)) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next { try UnkeyedDecoding($0) }
    }

    mutating func superDecoder() throws -> any Decoder {
        try next { ValueDecoder($0) }
    }

    /// Decodes the next element; it stays the next one where that fails.
    private mutating func next<Value>(
        _ decode: (SingleValueDecoding) throws -> Value
    ) throws -> Value {
        let value = try decode(try element(Value.self))
        pass()
        return value
    }

    private func element(_ type: Any.Type) throws -> SingleValueDecoding {
        let path = codingPath + [PositionKey(currentIndex)]
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                type, .init(codingPath: path, debugDescription: "the array has ended"))
        }
        return SingleValueDecoding(source: source, offset: offset, codingPath: path)
    }

    private mutating func pass() {
        offset = source.end(of: offset)
        currentIndex += 1
    }
}
