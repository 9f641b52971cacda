package import NetPoll

extension WebSocketConnection {
    /// Whether the kernel has not taken all that was sent before this turn.
    ///
    /// Where the watermarks are 0, ``WebSocketHandler/drained(_:)`` tells when it has.
    package var isBacklogged: Bool { connection.ownsBuffers }

    /// Sends whole frames of a server, encoded before and not to be compressed.
    ///
    /// - Parameters:
    ///   - frames: One after the other.
    ///   - owner: Keeps them alive and unchanged.
    /// - Returns: As for ``send(_:kind:compression:)``.
    @discardableResult
    package func send(
        frames: UnsafeRawBufferPointer, keptAliveBy owner: AnyObject
    ) -> WriteOutcome {
        guard isOpen else { return .closed }
        return connection.write(frames, keptAliveBy: owner)
    }
}
