internal import NetPoll

/// The calls of an ``RPCConnection`` at one moment, of both sides.
public struct RPCConnectionSnapshot: Hashable, Sendable {
    /// Calls of this side, streams included, that were sent or are being sent and are not over.
    public internal(set) var inFlight = 0
    /// How many of them there may be: ``RPCConfiguration/outgoingCallsMax``, or fewer where the peer
    /// takes fewer.
    public internal(set) var inFlightMax = 0
    /// Calls of this side that wait as so many are in flight.
    public internal(set) var waiting = 0
    /// Calls of this side that failed so far, as so many were in flight and no more may wait.
    public internal(set) var refused = 0
    /// Calls of the peer's that run here.
    public internal(set) var served = 0
}

extension RPCConnection {
    /// What is in flight on it, asked of its loop; nothing once the loop was shut down.
    public func snapshot() async -> RPCConnectionSnapshot {
        let snapshot = await loop.run { [peer] in
            RPCConnectionSnapshot(
                inFlight: peer.core.inFlight, inFlightMax: peer.core.outgoingMax,
                waiting: peer.core.waitingCount, refused: peer.refusedCalls,
                served: peer.core.incoming.count)
        }
        return snapshot ?? RPCConnectionSnapshot()
    }
}
