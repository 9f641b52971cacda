/// Control frames that a full send queue had no room for; they are written once the peer has taken enough
/// of it. At most one of each.
struct OwedFrames {
    /// The payload of the pong to the latest ping (RFC 6455 §5.5.3).
    var pong: [UInt8]?
    /// The close frame, whole.
    var close: [UInt8]?
    /// Whether the transport is to be closed behind it.
    var endsTransport = false
}
