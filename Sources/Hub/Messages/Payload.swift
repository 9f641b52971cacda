public import WSFrame

/// What a message carries: bytes, and what they are.
public struct Payload: Hashable, Sendable {
    /// How the bytes are to be read.
    public enum Format: UInt8, Hashable, Sendable, CaseIterable {
        /// UTF-8 text.
        case text = 0
        /// Any bytes.
        case binary = 1
        /// One JSON value in UTF-8, which a protocol of JSON puts into its envelope as it is.
        case json = 2
    }

    /// UTF-8 where ``format`` says so, which is not checked here.
    public let bytes: [UInt8]
    /// How they are to be read.
    public let format: Format

    /// Creates a payload.
    public init(_ bytes: [UInt8], format: Format) {
        self.bytes = bytes
        self.format = format
    }

    /// Creates a payload of text.
    public init(text: String) {
        self.init(Array(text.utf8), format: .text)
    }

    /// Copies a message as it came from a client.
    public init(copying message: RawSpan, kind: MessageKind) {
        let bytes = message.withUnsafeBytes { Array($0) }
        self.init(bytes, format: kind == .text ? .text : .binary)
    }

    /// The payload as text; bytes that are not UTF-8 are replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The kind of WebSocket message that carries it bare.
    public var kind: MessageKind { format == .binary ? .binary : .text }
}
