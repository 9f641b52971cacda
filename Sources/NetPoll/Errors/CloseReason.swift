/// Why a connection ended; told once, in ``ConnectionHandler/closed(_:reason:)``.
public enum CloseReason: Hashable, Sendable {
    /// This side called ``Connection/close()`` or ``Connection/abort()``.
    case local
    /// The peer sent all it had and this side had no more to send.
    case peer
    /// The peer reset the connection (ECONNRESET, EPIPE).
    case reset
    /// The peer read too slowly: ``Connection/Limits/sendQueueBytesMax`` was exceeded.
    case sendQueueOverflow
    /// ``Connection/close()`` could not finish within ``Connection/Limits/closeTimeout``.
    case closeTimedOut
    /// The peer sent nothing within ``Connection/Limits/firstByteTimeout``.
    case firstByteTimedOut
    /// ``Connection/inputIsIncomplete`` lasted longer than ``Connection/Limits/inputTimeout``.
    case inputTimedOut
    /// Nothing was received or sent for ``Connection/Limits/idleTimeout``.
    case idleTimedOut
    /// Bytes waited for ``Connection/Limits/writeStallTimeout`` and the kernel took none.
    case writeStalled
    /// The loop was shut down.
    case shutdown
    /// The kernel reported another failure.
    case failed(SystemError)
}
