import NetPollTesting
import Seeds
import Testing

@Suite("A whole hub, simulated")
struct HubSimulationTests {
    @Test(arguments: seeds(1_000))
    func `nothing is lost, doubled or out of order in silence, and nothing stays`(
        seed: UInt64
    ) async throws {
        let world = try await HubWorld(seed: seed, clients: 5)
        for _ in 0..<100 { try await world.step() }
        try world.settle()
        try await world.check()
        #expect(world.problems.isEmpty, "\(world.problems.prefix(3).joined(separator: "\n"))")
    }

    @Test func `hundreds of clients come, stall, go and come again`() async throws {
        let world = try await HubWorld(seed: 7, clients: 300)
        for _ in 0..<1_500 { try await world.step() }
        try world.settle()
        try await world.check()
        #expect(world.problems.isEmpty, "\(world.problems.prefix(3).joined(separator: "\n"))")
    }
}
