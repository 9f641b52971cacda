import HubWorlds
import Seeds
import Testing

/// A few of the worlds that `hub-simulation-run` lives by the thousand.
@Suite("A whole hub, simulated")
struct HubSimulationTests {
    @Test(arguments: seeds(50))
    func `nothing is lost, doubled or out of order in silence, and nothing stays`(
        seed: UInt64
    ) async throws {
        let problems = try await HubWorld.problems(seed: seed, clients: 5, steps: 100)
        #expect(problems.isEmpty, "\(problems.prefix(3).joined(separator: "\n"))")
    }

    @Test func `a hundred clients come, stall, go and come again`() async throws {
        let problems = try await HubWorld.problems(seed: 7, clients: 100, steps: 500)
        #expect(problems.isEmpty, "\(problems.prefix(3).joined(separator: "\n"))")
    }
}
