import Glibc
import Lifetimes

/// Lives very many lifetimes of connections on simulated networks, and tells the seeds of those that
/// left something behind, or of the one that trapped: `lifetime-run [--lifetimes COUNT] [--seed FIRST]`. One world is lived again
/// by its seed and `--lifetimes 500`.
@main
struct LifetimeRun {
    /// How many a world has: few enough to look at, enough to meet each other.
    static let each = 500

    static func main() async {
        var lifetimes = 1_000_000
        var first: UInt64 = 0
        var arguments = CommandLine.arguments.dropFirst()
        while let flag = arguments.popFirst() {
            switch (flag, arguments.popFirst().flatMap { UInt64($0) }) {
            case ("--lifetimes", let value?): lifetimes = Int(value)
            case ("--seed", let value?): first = value
            default: preconditionFailure("lifetime-run [--lifetimes COUNT] [--seed FIRST]")
            }
        }
        SeedNotice.install()
        let worlds = (lifetimes + each - 1) / each
        let failures = await live(first..<first + UInt64(worlds))
        for failure in failures { print(failure) }
        print("\(worlds * each) lifetimes from seed \(first): \(failures.count) findings")
        exit(failures.isEmpty ? 0 : 1)
    }

    /// Lives the worlds of these seeds, two at a time.
    @concurrent static func live(_ seeds: Range<UInt64>) async -> [String] {
        await withTaskGroup(of: [String].self) { group in
            for share in 0..<2 as Range<UInt64> {
                group.addTask { seeds.filter { $0 % 2 == share }.flatMap(findings) }
            }
            var failures: [String] = []
            for await found in group { failures += found }
            return failures
        }
    }

    static func findings(seed: UInt64) -> [String] {
        do {
            let findings = try SeedNotice.during(seed) {
                try LifetimeWorld.run(seed: seed, lifetimes: each).findings
            }
            return findings.map { "seed \(seed): \($0)" }
        } catch {
            return ["seed \(seed): \(error)"]
        }
    }
}
