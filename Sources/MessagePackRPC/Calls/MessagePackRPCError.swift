public import NetPoll

/// Why a call failed.
public struct MessagePackRPCError: Error, Hashable, Sendable {
    /// What happened.
    public enum Reason: Hashable, Sendable {
        /// The peer answered with an error.
        case answered(MessagePackRPCFault)
        /// No answer came in time.
        case deadlineExceeded
        /// The caller's task was cancelled.
        case cancelled
        /// As many calls as ``MessagePackRPCConfiguration/callsInFlightMax`` wait for answers.
        case tooManyCalls(limit: Int)
        /// Nothing more fits into the connection's send queue.
        case sendQueueFull
        /// The message is longer than ``MessagePackRPCConfiguration/messageBytesMax``.
        case oversizedMessage(bytes: Int, limit: Int)
        /// There is no connection, or there is none any more, for this reason.
        case closed(CloseReason?)
        /// The peer sent what is no MessagePack-RPC, and the connection was given up.
        case protocolViolation(String)
        /// The parameters cannot be encoded.
        case unencodable(String)
        /// The result is not of the type that is wanted.
        case undecodable(String)
    }

    public let reason: Reason
    /// Whether the peer may have acted on the call; if not, it is safe to repeat.
    public let mayHaveRun: Bool

    init(_ reason: Reason, mayHaveRun: Bool) {
        self.reason = reason
        self.mayHaveRun = mayHaveRun
    }

    static func lost(_ reason: CloseReason?, mayHaveRun: Bool) -> MessagePackRPCError {
        MessagePackRPCError(.closed(reason), mayHaveRun: mayHaveRun)
    }
}

extension MessagePackRPCError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .answered(let fault): "the peer answered: \(fault)"
        case .deadlineExceeded: "no answer came in time"
        case .cancelled: "the call was cancelled"
        case .tooManyCalls(let limit): "\(limit) calls are in flight already"
        case .sendQueueFull: "the send queue is full"
        case .oversizedMessage(let bytes, let limit): "a message of \(bytes) bytes exceeds \(limit)"
        case .closed(let reason): reason.map { "the connection was lost: \($0)" } ?? "no connection"
        case .protocolViolation(let text): "the peer broke the protocol: \(text)"
        case .unencodable(let text): "the parameters cannot be encoded: \(text)"
        case .undecodable(let text): "the result cannot be decoded: \(text)"
        }
    }
}
