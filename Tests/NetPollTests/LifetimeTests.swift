import Lifetimes
import Seeds
import Testing

/// `lifetime-run` lives a million of them.
@Suite("Lifetimes of connections under faults", .timeLimit(.minutes(10)))
struct LifetimeTests {
    @Test(arguments: seeds(40))
    func `five hundred lifetimes leave nothing behind`(seed: UInt64) throws {
        let findings = try LifetimeWorld.run(seed: seed, lifetimes: 500).findings
        #expect(findings.isEmpty, "seed \(seed)")
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
