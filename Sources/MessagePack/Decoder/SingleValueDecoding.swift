/// One value that is decoded.
struct SingleValueDecoding: SingleValueDecodingContainer {
    let source: EncodedSource
    let offset: Int
    let codingPath: [any CodingKey]

    var token: MessagePackToken { source.token(at: offset).token }

    func decodeNil() -> Bool { token == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .bool(let value) = token else { throw mismatch(type) }
        return value
    }

    func decode(_ type: String.Type) throws -> String {
        guard case .string(let range) = token else { throw mismatch(type) }
        return try source.text(range, path: codingPath)
    }

    func decode(_ type: Double.Type) throws -> Double {
        switch token {
        case .double(let value): return value
        case .float(let value): return Double(value)
        case .integer(let value):
            guard let value = Double(exactly: value) else { throw unfit("\(value)", type) }
            return value
        case .unsigned(let value):
            guard let value = Double(exactly: value) else { throw unfit("\(value)", type) }
            return value
        case .null, .bool, .string, .bytes, .array, .map, .ext: throw mismatch(type)
        }
    }

    func decode(_ type: Float.Type) throws -> Float {
        switch token {
        case .float(let value): return value
        case .double(let value):
            let rounded = Float(value)
            guard rounded.isFinite || !value.isFinite else { throw unfit("\(value)", type) }
            return rounded
        case .integer(let value):
            guard let value = Float(exactly: value) else { throw unfit("\(value)", type) }
            return value
        case .unsigned(let value):
            guard let value = Float(exactly: value) else { throw unfit("\(value)", type) }
            return value
        case .null, .bool, .string, .bytes, .array, .map, .ext: throw mismatch(type)
        }
    }

    func decode(_ type: Int.Type) throws -> Int { try integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try source.decode(type, at: offset, path: codingPath)
    }

    private func integer<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
        switch token {
        case .integer(let value):
            guard let number = Number(exactly: value) else { throw unfit("\(value)", type) }
            return number
        case .unsigned(let value):
            guard let number = Number(exactly: value) else { throw unfit("\(value)", type) }
            return number
        case .null, .bool, .float, .double, .string, .bytes, .array, .map, .ext:
            throw mismatch(type)
        }
    }

    func mismatch(_ type: Any.Type) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: codingPath, debugDescription: "\(token.kind) is no \(type)")
        return token == .null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    private func unfit(_ value: String, _ type: Any.Type) -> DecodingError {
        .dataCorrupted(
            .init(codingPath: codingPath, debugDescription: "\(value) does not fit \(type)"))
    }
}

extension SingleValueDecoding {
    /// The bytes, where it is bytes.
    var bytes: [UInt8]? {
        guard case .bytes(let range) = token else { return nil }
        return Array(source.bytes[range])
    }

    func timestamp() throws -> MessagePackTimestamp {
        guard case .ext(MessagePackTimestamp.type, let range) = token else {
            throw mismatch(MessagePackTimestamp.self)
        }
        do throws(MessagePackError) {
            return try MessagePackTimestamp(
                extensionBytes: source.bytes.span.bytes.extracting(range))
        } catch {
            throw DecodingError.dataCorrupted(
                .init(codingPath: codingPath, debugDescription: "not a timestamp"))
        }
    }

    func ext() throws -> MessagePackExtension {
        guard case .ext(let type, let range) = token else {
            throw mismatch(MessagePackExtension.self)
        }
        return MessagePackExtension(type: type, bytes: Array(source.bytes[range]))
    }
}

extension MessagePackToken {
    /// What it is, for errors.
    var kind: String {
        switch self {
        case .null: "nil"
        case .bool: "a boolean"
        case .integer, .unsigned: "an integer"
        case .float, .double: "a floating point number"
        case .string: "text"
        case .bytes: "bytes"
        case .array: "an array"
        case .map: "a map"
        case .ext(let type, _): "an extension of type \(type)"
        }
    }
}
