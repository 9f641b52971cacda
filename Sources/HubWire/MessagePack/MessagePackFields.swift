import MessagePack

/// Envelopes as MessagePack: one map, whose keys and types are numbers.
package enum MessagePackFields {
    /// Reads an envelope; as for ``JSONFields/read(_:)``.
    ///
    /// - Throws: ``WireError``.
    package static func read(_ bytes: RawSpan) throws(WireError) -> FieldSet {
        // The pointer is used within the call only.
        try bytes.withUnsafeBytes { (bytes) throws(WireError) -> FieldSet in
            var reader = MessagePackFieldReader(bytes: bytes)
            return try reader.envelope()
        }
    }

    /// Writes an envelope.
    package static func write(_ set: FieldSet) -> [UInt8] {
        var writer = MessagePackWriter()
        append(set, to: &writer)
        return writer.bytes
    }

    private static func append(_ set: FieldSet, to writer: inout MessagePackWriter) {
        writer.writeMapHead(count: set.fields.count)
        for field in set.fields {
            writer.write(UInt64(field.key.rawValue))
            append(field.value, to: &writer)
        }
    }

    private static func append(_ value: FieldValue, to writer: inout MessagePackWriter) {
        switch value {
        case .kind(let kind): writer.write(UInt64(kind.rawValue))
        case .flag(let flag): writer.write(flag)
        case .count(let count), .mark(let count): writer.write(count)
        case .number(let number): writer.write(number)
        case .text(let text): writer.write(text)
        case .bytes(let bytes): writer.write(bytes)
        case .json(let json): writer.write(String(decoding: json, as: UTF8.self))
        case .marks(let marks):
            writer.writeArrayHead(count: marks.count)
            for mark in marks { writer.write(mark) }
        case .texts(let texts):
            writer.writeArrayHead(count: texts.count)
            for text in texts { writer.write(text) }
        case .fieldSets(let sets):
            writer.writeArrayHead(count: sets.count)
            for set in sets { append(set, to: &writer) }
        }
    }
}
