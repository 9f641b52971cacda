/// The messages that come from the other side of a call.
///
/// Read by one task. What was not read yet is bounded by the stream's credit. Ends with the other
/// side's end, and throws ``RPCError`` where the call fails first.
public struct RPCInbound<Message: RPCMessage>: AsyncSequence, Sendable {
    public typealias Element = Message
    public typealias Failure = any Error

    let stream: CallStream

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: CallStream

        public mutating func next() async throws -> Message? {
            guard let bytes = try await stream.next() else { return nil }
            do {
                return try Message(decoding: bytes.span.bytes)
            } catch {
                throw RPCError(.invalidArgument, "a message cannot be decoded: \(error)")
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

/// Takes the messages for the other side of a call.
public struct RPCOutbound<Message: RPCMessage>: Sendable {
    let stream: CallStream

    /// Sends a message, as soon as the other side's credit allows.
    ///
    /// - Parameter message: Encoded in the caller's task.
    /// - Throws: ``RPCError``: what the call failed with, or ``StatusCode/cancelled`` where it is over
    ///   otherwise, as when the server's handler has returned, or the task was cancelled.
    public func send(_ message: Message) async throws {
        var payload = PayloadWriter()
        do {
            try message.encode(to: &payload)
        } catch {
            throw RPCError(.internal, "a message cannot be encoded: \(error)", execution: .unknown)
        }
        try await stream.write(payload.withSpan { $0.withUnsafeBytes { Array($0) } })
    }

    /// Says that no more messages follow; later ones are refused. What the other side sends may still
    /// be read.
    public func finish() { stream.peer.mailbox.finishWrites(of: stream) }
}
