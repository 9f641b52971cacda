internal import MessagePack

/// The error of an answer: any value at all. What a handler throws to say why it failed.
public struct MessagePackRPCFault: Error, Hashable, Sendable {
    /// The value as it travels.
    public let encoded: [UInt8]

    /// An error that is a text.
    public init(_ text: String) {
        var writer = MessagePackWriter()
        writer.write(text)
        encoded = writer.bytes
    }

    /// An error that is any value but `nil`, which is what a success has.
    ///
    /// - Throws: `EncodingError`, also for `nil`.
    public init(encoding value: some Encodable) throws {
        let encoded = try MessagePackEncoder().encode(value)
        guard encoded != [0xc0] else {
            throw EncodingError.invalidValue(
                value, .init(codingPath: [], debugDescription: "an error cannot be nil"))
        }
        self.encoded = encoded
    }

    init(encoded: [UInt8]) {
        self.encoded = encoded
    }

    /// Decodes the value.
    ///
    /// - Throws: As ``/MessagePack/MessagePackDecoder``.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try MessagePackDecoder().decode(type, from: encoded)
    }

    /// The text, where the error is one or, as neovim's are, a number and a text.
    public var text: String? {
        // Whatever else it is has no text.
        if let text = try? decode(String.self) { return text }
        // Nor has one of another shape.
        return (try? decode(NumberedText.self))?.text
    }

    private struct NumberedText: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            var array = try decoder.unkeyedContainer()
            _ = try array.decode(Int64.self)
            text = try array.decode(String.self)
        }
    }
}

extension MessagePackRPCFault: CustomStringConvertible {
    public var description: String { text ?? "an error of \(encoded.count) bytes" }
}
