import Lifetimes
import Seeds
import Testing

/// `lifetime-run` lives a million of them.
@Suite("Lifetimes of connections under faults", .timeLimit(.minutes(10)))
struct LifetimeTests {
    @Test(arguments: seeds(10))
    func `five hundred lifetimes leave nothing behind`(seed: UInt64) throws {
        let findings = try LifetimeWorld.run(seed: seed, lifetimes: 500).findings
        #expect(findings.isEmpty, "seed \(seed)")
    }

    @Test func `a trap tells the seed of its world, and ends the process`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            SeedNotice.install()
            SeedNotice.during(1) {}
            SeedNotice.during(18_446_744_073_709_551_000) { preconditionFailure("on purpose") }
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("a trap in the world of seed 18446744073709551000\n"))
        #expect(!text.contains("of seed 1\n"))
    }

    @Test func `connections end in all the ways there are`() throws {
        var reasons: [String: Int] = [:]
        for seed in seeds(12) {
            let outcome = try LifetimeWorld.run(seed: seed, lifetimes: 500)
            reasons.merge(outcome.reasons, uniquingKeysWith: +)
        }
        let expected = [
            "peer", "local", "reset", "firstByteTimedOut", "inputTimedOut", "idleTimedOut",
            "writeStalled", "sendQueueOverflow", "closeTimedOut", "dialled: local",
            "dialled: peer", "dialled: reset", "dialled: idleTimedOut",
        ]
        for reason in expected { #expect(reasons[reason, default: 0] > 0, "\(reason)") }
    }
}
