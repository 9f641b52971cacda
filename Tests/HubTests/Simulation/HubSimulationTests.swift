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
        for _ in 0..<120 { try await world.step() }
        try world.settle()
        try await world.check()
        #expect(world.problems.isEmpty, "\(world.problems.prefix(3).joined(separator: "\n"))")
    }

    @Test func `a thousand clients come, stall, go and come again`() async throws {
        let world = try await HubWorld(seed: 7, clients: 1_000)
        for _ in 0..<4_000 { try await world.step() }
        try world.settle()
        try await world.check()
        #expect(world.problems.isEmpty, "\(world.problems.prefix(3).joined(separator: "\n"))")
    }
}
