import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Testing

@Suite("Sweeping the store, on the simulated network")
struct StoreSweepTests {
    @Test func `the store is swept once per interval, and again after a failure`() async throws {
        let store = SlowStore()
        let bench = try await LineBench {
            $0.store = store
            $0.storeSweepInterval = .seconds(10)
        }
        bench.network.run(for: .seconds(35))
        #expect(store.sweeps == 3)
        store.fails = true
        bench.network.run(for: .seconds(20))
        #expect(store.sweeps == 3)
        store.fails = false
        bench.network.run(for: .seconds(20))
        #expect(store.sweeps == 5)
    }

    @Test func `a hub that does not sweep leaves the store alone`() async throws {
        let store = SlowStore()
        let bench = try await LineBench {
            $0.store = store
            $0.storeSweepInterval = nil
        }
        bench.network.run(for: .seconds(3_600))
        #expect(store.sweeps == 0)
    }
}
