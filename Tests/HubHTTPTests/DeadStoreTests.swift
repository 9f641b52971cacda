import Hub
import HubTesting
import HubWorlds
import Testing

@Suite("The HTTP API while its store fails, on the simulated network")
struct DeadStoreTests {
    @Test func `who asks for a topic that cannot be read is told so, and nothing happens later`()
        async throws
    {
        let store = SlowStore()
        store.unreadable = "a"
        let bench = try await PushBench { $0.store = store }
        let body = #"{"topic":"a","text":"x"}"#
        for _ in 0..<3 { #expect(try bench.post("publish", body).status == 503) }
        #expect(try bench.get("history?topic=a").status == 503)
        store.unreadable = nil
        bench.world.run(for: .seconds(5))
        let history = try bench.get("history?topic=a")
        #expect(history.status == 200)
        #expect(history.body.contains(#""messages":[]"#))
        #expect(try bench.post("publish", body).body.hasSuffix(#","offset":1}"#))
    }
}
