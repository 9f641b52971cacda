package import MessagePack

/// A stream's messages without its connection, for fuzzing: takes a peer's bytes and tells what they
/// meant.
package struct ProbedMessages {
    /// What the bytes meant, in order: messages, and that a violation ended them. Which one it is of a
    /// message that is both malformed and too long depends on how the stream is cut.
    package private(set) var said: [String] = []
    /// Bytes that are held of a message that is not whole.
    package var heldBytes: Int { kept.count }

    private var scanner: MessageScanner
    private var kept: [UInt8] = []

    package init(messageBytesMax: Int, limits: MessagePackReader.Limits) {
        scanner = MessageScanner(messageBytesMax: messageBytesMax, limits: limits)
    }

    /// Takes bytes; whether more may come.
    package mutating func take(_ bytes: [UInt8]) -> Bool {
        // An array of its own for each piece: a read beyond it is a read out of bounds.
        let input = kept + bytes
        var cursor = 0
        do throws(MessageViolation) {
            while let message = try scanner.next(in: input.span.bytes, at: &cursor) {
                said.append(Self.text(of: message, in: input))
            }
        } catch {
            said.append("violation")
            kept = []
            return false
        }
        kept = Array(input[cursor...])
        return true
    }

    /// Where its parts lie depends on how the stream is cut; what they are does not.
    private static func text(of message: WireMessage, in input: [UInt8]) -> String {
        switch message {
        case .request(let id, let method, let parameters):
            "request \(id) \(input[method]) \(input[parameters])"
        case .response(let id, let error, let result):
            "response \(id) \(error.map { Array(input[$0]) } ?? []) \(input[result])"
        case .notification(let method, let parameters):
            "notification \(input[method]) \(input[parameters])"
        }
    }
}
