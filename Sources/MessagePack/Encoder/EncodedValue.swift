/// A value that has encoded itself and was not written yet.
///
/// What fails to encode itself has written nothing, and no key before it.
enum EncodedValue {
    case bytes([UInt8])
    case timestamp(MessagePackTimestamp)
    case ext(MessagePackExtension)
    case node(EncodingNode)

    /// Takes what `Codable` has no word for itself, or whatever the value encodes of itself.
    init<Value: Encodable>(_ value: Value, at path: [any CodingKey]) throws {
        // The type is asked first: an empty array of anything can be cast to one of bytes.
        if Value.self == [UInt8].self, let bytes = value as? [UInt8] {
            self = .bytes(bytes)
        } else if let timestamp = value as? MessagePackTimestamp {
            self = .timestamp(timestamp)
        } else if let ext = value as? MessagePackExtension {
            self = .ext(ext)
        } else {
            let node = EncodingNode()
            try value.encode(to: ValueEncoder(node: node, codingPath: path))
            guard node.kind != .undecided else {
                throw EncodingError.invalidValue(
                    value, .init(codingPath: path, debugDescription: "it encoded nothing"))
            }
            self = .node(node)
        }
    }

    func write(to writer: inout MessagePackWriter) {
        switch self {
        case .bytes(let bytes): writer.write(bytes)
        case .timestamp(let timestamp): writer.write(timestamp)
        case .ext(let ext): writer.writeExtension(type: ext.type, ext.bytes.span.bytes)
        case .node(let node): node.write(to: &writer)
        }
    }
}
