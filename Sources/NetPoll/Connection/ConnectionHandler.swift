/// Receives a connection's events, on its loop.
///
/// The order is: ``opened(_:)``, then any of the others, then ``closed(_:reason:)`` once and last.
public protocol ConnectionHandler: AnyObject {
    /// The connection is registered; bytes may be written from now on.
    func opened(_ connection: Connection)

    /// Bytes arrived. They are lent for the call and may be changed in place; what is needed later
    /// must be copied by the handler.
    func received(_ bytes: inout MutableRawSpan, on connection: Connection)

    /// The peer passed a descriptor; see ``Connection/receiveDescriptors()``. Told before the byte
    /// it came with, and perhaps before bytes written shortly ahead of that, which the kernel may
    /// hand over together. The default closes it.
    func receivedDescriptor(_ descriptor: consuming PassedDescriptor, on connection: Connection)

    /// The peer will send no more (end-of-file); this side may still write.
    ///
    /// Not called where this side has sent its end too: then the connection is over. The default
    /// closes the connection once all that was written is sent.
    func receivedEnd(on connection: Connection)

    /// The bytes queued passed ``Connection/Limits/highWatermark``: the producer should stop.
    ///
    /// Told at the end of the turn in which they did, or before where they fell within it. Each rise
    /// that is told is followed by one ``fellBelowLowWatermark(_:)`` before the next is, unless the
    /// connection is closed before. A write's ``WriteOutcome/aboveHighWatermark`` tells of the same rise.
    func roseAboveHighWatermark(_ connection: Connection)

    /// The bytes queued fell to ``Connection/Limits/lowWatermark``: the producer may go on.
    func fellBelowLowWatermark(_ connection: Connection)

    /// The connection is gone. Nothing more will be called.
    func closed(_ connection: Connection, reason: CloseReason)
}

extension ConnectionHandler {
    public func opened(_ connection: Connection) {}
    public func receivedDescriptor(
        _ descriptor: consuming PassedDescriptor, on connection: Connection
    ) {}
    public func receivedEnd(on connection: Connection) { connection.close() }
    public func roseAboveHighWatermark(_ connection: Connection) {}
    public func fellBelowLowWatermark(_ connection: Connection) {}
    public func closed(_ connection: Connection, reason: CloseReason) {}
}
