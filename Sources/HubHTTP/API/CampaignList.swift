import Hub
import Synchronization

/// The campaigns of an API by their names, a bounded number of them.
final class CampaignList: Sendable {
    enum OnBegin {
        case begun(String, Campaign)
        /// One of that name was begun before.
        case known(String, Campaign)
        /// All that there may be still run.
        case full
    }

    private struct State {
        var campaigns: [String: Campaign] = [:]
        /// Their names, the oldest first.
        var names: [String] = []
    }

    private let campaignsMax: Int
    private let state = Mutex(State())

    init(campaignsMax: Int) {
        precondition(campaignsMax > 0, "\(campaignsMax) campaigns")
        self.campaignsMax = campaignsMax
    }

    subscript(name: String) -> Campaign? { state.withLock { $0.campaigns[name] } }

    /// At most `most`: first those that go on, then those that have ended, of both the latest first.
    func latest(_ most: Int) -> [(name: String, campaign: Campaign)] {
        state.withLock { state in
            let all = state.names.reversed().compactMap { name in
                state.campaigns[name].map { (name: name, campaign: $0) }
            }
            let ended = all.map(\.campaign.hasEnded)
            let order = all.indices.filter { !ended[$0] } + all.indices.filter { ended[$0] }
            return order.prefix(most).map { all[$0] }
        }
    }

    /// How many go on.
    var running: Int {
        state.withLock { state in state.campaigns.values.count { !$0.hasEnded } }
    }

    /// Begins a campaign of that name, or of a new one. Forgets the oldest that has ended where there
    /// is no room.
    func begin(_ name: String?, _ begin: (String) -> Campaign) -> OnBegin {
        state.withLock { state in
            if let name, let known = state.campaigns[name] { return .known(name, known) }
            if state.names.count >= campaignsMax {
                let ended = state.names.firstIndex { state.campaigns[$0]?.hasEnded ?? true }
                guard let ended else { return .full }
                state.campaigns[state.names.remove(at: ended)] = nil
            }
            let name = name ?? String(UInt64.random(in: 1...UInt64.max), radix: 36)
            let campaign = begin(name)
            state.campaigns[name] = campaign
            state.names.append(name)
            return .begun(name, campaign)
        }
    }
}

extension Campaign {
    fileprivate var hasEnded: Bool {
        switch progress.state {
        case .finished, .cancelled: true
        case .running, .paused: false
        }
    }
}
