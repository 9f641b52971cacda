import Glibc
import HubWorlds

/// Lives many lives of whole hubs with their clients on simulated networks, and tells what went wrong:
/// `hub-simulation-run [--runs COUNT] [--clients COUNT] [--steps COUNT] [--seed FIRST]`. One is lived
/// again by its seed with `--runs 1`.
@main
struct HubSimulationRun {
    static func main() async {
        var (runs, first, clients, steps): (UInt64, UInt64, Int, Int) = (1_000, 0, 5, 100)
        var arguments = CommandLine.arguments.dropFirst()
        while let flag = arguments.popFirst() {
            switch (flag, arguments.popFirst().flatMap { UInt64($0) }) {
            case ("--runs", let value?): runs = value
            case ("--clients", let value?): clients = Int(value)
            case ("--steps", let value?): steps = Int(value)
            case ("--seed", let value?): first = value
            default:
                preconditionFailure("one of --runs, --clients, --steps, --seed, and a number")
            }
        }
        let problems = await live(first..<first + runs, clients: clients, steps: steps)
        for problem in problems { print(problem) }
        print("\(runs) hubs of \(clients) clients from seed \(first): \(problems.count) problems")
        exit(problems.isEmpty ? 0 : 1)
    }

    /// Lives the worlds of these seeds, two at a time.
    @concurrent static func live(
        _ seeds: Range<UInt64>, clients: Int, steps: Int
    ) async -> [String] {
        await withTaskGroup(of: [String].self) { group in
            for share in 0..<2 as Range<UInt64> {
                group.addTask {
                    var found: [String] = []
                    for seed in seeds where seed % 2 == share {
                        do {
                            found += try await HubWorld.problems(
                                seed: seed, clients: clients, steps: steps)
                        } catch {
                            found.append("seed \(seed): \(error)")
                        }
                    }
                    return found
                }
            }
            var problems: [String] = []
            for await found in group { problems += found }
            return problems
        }
    }
}
