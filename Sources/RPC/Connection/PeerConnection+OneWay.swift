import NetPoll

// Calls that nobody awaits.
extension PeerConnection {
    // MARK: - Of the peer's

    /// Whether a call of the peer's goes on although the connection ended: a client may end its side when
    /// it has sent its one-way calls. Not where the connection was lost, too many do already, or the
    /// server's drain has waited long enough.
    func outlives(_ slot: UInt32, _ call: ServedCall, _ reason: CloseReason) -> Bool {
        guard core.role == .server, reason == .peer, call.stream == nil, !call.isCancelled,
            core.incoming.entry(slot).pointee.flags.contains(.oneWay),
            shelf.takesOutliving, shelf.outliving < ServedCallShelf.outlivingMax
        else { return false }
        shelf.outliving += 1
        outliving += 1
        return true
    }

    /// A call is over that outlived its connection.
    func outlived(_ slot: UInt32) {
        _ = core.answered(slot)
        shelf.outliving -= 1
        outliving -= 1
        if outliving == 0 { tellClosed() }
    }

    /// What outlived the connection is cancelled, and not waited for.
    func endOutliving() {
        guard outliving > 0 else { return }
        shelf.outliving -= outliving
        outliving = 0
        let calls = served
        served = []
        for case let call? in calls { abandon(call, Self.noConnection) }
        tellClosed()
    }

    // MARK: - Of this side

    /// Whether a caller waits for a call's end.
    var isAwaited: Bool {
        pending.contains { call in call.map { $0.stage != .over } ?? false }
    }

    /// The connection is to end when its calls are over: one-way ones, which a plain peer answers, are
    /// given up at the latest when calls time out.
    func boundUnawaited() {
        let time = configuration.callTimeout ?? configuration.connection.closeTimeout
        let (end, overflow) = loop.now.nanoseconds.addingReportingOverflow(time.inNanoseconds)
        guard !overflow else { return }
        for (slot, call) in pending.enumerated() where call?.stage == .over {
            let entry = core.outgoing.entry(UInt32(slot))
            if end < entry.pointee.deadline { core.note(deadline: end, of: entry) }
        }
        armTimer()
    }
}
