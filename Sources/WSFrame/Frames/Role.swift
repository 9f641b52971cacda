/// Which end of the connection this is; it decides who masks (RFC 6455 §5.1).
public enum Role: UInt8, Hashable, Sendable {
    /// Receives masked frames, sends unmasked ones.
    case server
    /// Receives unmasked frames, sends masked ones.
    case client

    /// The other end.
    public var peer: Role { self == .server ? .client : .server }
}
