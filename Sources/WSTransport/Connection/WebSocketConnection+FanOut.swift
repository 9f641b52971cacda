import NetPoll

extension WebSocketConnection {
    /// Whether the kernel has not taken all that was sent before this turn.
    ///
    /// Where the watermarks are 0, ``WebSocketHandler/drained(_:)`` tells when it has.
    package var isBacklogged: Bool { connection.ownsBuffers }

    /// Brings the memory of its transport nearer, before something is sent.
    package func prefetchTransport() {
        Platform.prefetchObject(Unmanaged.passUnretained(connection).toOpaque())
    }

    /// Sends whole frames of a server, encoded before and not to be compressed.
    ///
    /// - Parameters:
    ///   - frames: One after the other.
    ///   - owner: Keeps them alive and unchanged.
    ///   - atOnce: Nothing more is meant for the connection in this turn: they go now, where nothing waits before
    ///     them.
    package func send(
        frames: UnsafeRawBufferPointer, keptAliveBy owner: AnyObject, atOnce: Bool
    ) {
        guard isOpen else { return }
        if atOnce, connection.sendAtOnce(frames, keptAliveBy: owner) { return }
        connection.write(frames, keptAliveBy: owner)
    }
}
