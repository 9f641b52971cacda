import ConnPool

/// One unit of a pooled connection, kept for several calls one after another: asking the pool for
/// each call would cost more than the rest of a short call does.
///
/// `@unchecked Sendable`: it belongs to one call at a time, or to the shelf under its lock.
final class Line: @unchecked Sendable {
    /// After so many calls the pool is asked again, so that it balances anew.
    static let callsMax = 64

    let link: RPCLink
    /// Which of the shelf's times it is of; it is used again in the same one only.
    let epoch: Int
    /// Whether other calls may have it afterwards.
    private let isShared: Bool
    private var lease: EndpointPool<RPCLink>.Lease?
    private var calls = 0
    private var successes = 0

    init(_ lease: consuming EndpointPool<RPCLink>.Lease, epoch: Int, isShared: Bool) {
        link = lease.connection
        self.epoch = epoch
        self.isShared = isShared
        self.lease = consume lease
        link.leased()
    }

    /// A call on it is over.
    ///
    /// - Returns: Whether it may be used for another.
    func used(_ outcome: CallOutcome) -> Bool {
        calls += 1
        switch outcome {
        case .success: successes += 1
        case .failure: return false
        case .neutral: break
        }
        return isShared && calls < Self.callsMax && !link.isLeaving
    }

    /// Gives it back to the pool.
    func end(failed: Bool = false) {
        guard let lease = lease.take() else { return }
        // Before the pool may give the connection up.
        link.returned()
        lease.end(successes: successes, failed: failed, discarding: false)
    }
}

/// What a call says of its endpoint.
enum CallOutcome: Hashable, Sendable {
    case success
    case failure
    /// Nothing: it was cancelled, or its connection was given up in order.
    case neutral
}
