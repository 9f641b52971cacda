import NetPoll
import Testing

@testable import ConnPool

@Suite("PoolState")
struct PoolStateTests {
    @Test func `a pool at its end asks to be woken no more`() throws {
        let configuration = PoolConfiguration()
        var state = PoolState(core: PoolCore(configuration: configuration, seed: 1))
        var actions = PoolActions()
        let now = Instant(nanoseconds: 1_000_000_000)
        _ = state.core.requested(
            now: now, deadline: now + .seconds(1), waits: true, into: &actions)
        guard case .dial(let id)? = actions.first else {
            Issue.record("no dial")
            return
        }
        _ = state.core.established(id, now: now, into: &actions)
        state.core.closed(now: now, into: &actions)
        // Nobody says that the connection was closed.
        _ = state.woken(now: now + configuration.closeTimeout, into: &actions)
        #expect(state.core.lifecycle == .closed)
        let next = state.wakeToAskFor
        #expect(next == nil)
    }
}
