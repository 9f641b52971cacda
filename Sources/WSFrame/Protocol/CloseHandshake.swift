/// Decides who closes when (RFC 6455 §5.5.1, §7.1).
///
///     open ──closeRequested──▶ closeSent ──closeReceived──▶ closed, begun here
///      ├─────closeReceived─────────────────────────────────▶ closed, begun by the peer
///      └─────violated──▶ failed ──closeRequested──▶ closed, begun here
public struct CloseHandshake: Hashable, Sendable {
    @usableFromInline
    enum State: UInt8, Hashable, Sendable {
        case open
        case closeSent
        case closedHere
        case closedByPeer
        case failed
    }

    /// What to do when this side wants to close.
    public enum OnCloseRequested: Hashable, Sendable {
        /// Write the close frame; nothing but pongs may follow it.
        case send
        /// A close frame is sent already, or the peer's is being answered; write nothing.
        case ignore
    }

    /// What to do when the peer's close frame came.
    public enum OnCloseReceived: Hashable, Sendable {
        /// The peer began: answer with a close frame of the same code, then close the connection.
        case echo
        /// The peer answered ours: close the connection.
        case finish
    }

    /// Which end sent the first close frame.
    public enum Initiator: Hashable, Sendable {
        case here
        case peer
    }

    @usableFromInline
    var state = State.open

    public init() {}

    /// Whether messages and pings may still be sent: until a close frame is sent or received. Pings are
    /// to be answered as long as ``mayReceive`` (RFC 6455 §5.5.2).
    @inlinable
    public var maySend: Bool { state == .open }

    /// Whether frames of the peer still mean something: until its close frame, or a violation.
    @inline(__always)
    public var mayReceive: Bool { state == .open || state == .closeSent }

    /// Whether both close frames are settled, so that the connection may be closed.
    public var isClosed: Bool { state == .closedHere || state == .closedByPeer }

    /// Who closed first, or `nil` if nobody has.
    public var initiator: Initiator? {
        switch state {
        case .open, .failed: nil
        case .closeSent, .closedHere: .here
        case .closedByPeer: .peer
        }
    }

    mutating func closeRequested() -> OnCloseRequested {
        switch state {
        case .open:
            state = .closeSent
            return .send
        case .failed:
            state = .closedHere
            return .send
        case .closeSent, .closedHere, .closedByPeer:
            return .ignore
        }
    }

    mutating func closeReceived() -> OnCloseReceived {
        switch state {
        case .open:
            state = .closedByPeer
            return .echo
        case .closeSent:
            state = .closedHere
            return .finish
        case .closedHere, .closedByPeer, .failed:
            preconditionFailure("close frame received in \(state)")
        }
    }

    mutating func violated() {
        switch state {
        case .open: state = .failed
        case .closeSent: state = .closedHere
        case .closedHere, .closedByPeer, .failed:
            preconditionFailure("violation in \(state)")
        }
    }
}
