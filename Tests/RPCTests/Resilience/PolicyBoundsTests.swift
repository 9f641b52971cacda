import NetPoll
import Testing

@testable import RPC

@Suite("Bounds of policies and limits")
struct PolicyBoundsTests {
    /// Makes something with a value at its bound where it is told `true`, and one beyond it else.
    private typealias Bound = @Sendable (Bool) -> Void

    private static func retry(
        _ change: @escaping @Sendable (inout RetryPolicy, Bool) -> Void
    ) -> Bound {
        { isTaken in
            var policy = RetryPolicy()
            change(&policy, isTaken)
            policy.check()
        }
    }

    private static func hedging(
        _ change: @escaping @Sendable (inout HedgingPolicy, Bool) -> Void
    ) -> Bound {
        { isTaken in
            var policy = HedgingPolicy()
            change(&policy, isTaken)
            policy.check()
        }
    }

    private static func breaking(
        _ change: @escaping @Sendable (inout ErrorRateBreaking, Bool) -> Void
    ) -> Bound {
        { isTaken in
            var policy = ErrorRateBreaking()
            change(&policy, isTaken)
            policy.check()
        }
    }

    private static func concurrency(
        _ change: @escaping @Sendable (inout AdaptiveConcurrency, Bool) -> Void
    ) -> Bound {
        { isTaken in
            var policy = AdaptiveConcurrency()
            change(&policy, isTaken)
            policy.check()
        }
    }

    private static func connection(
        _ change: @escaping @Sendable (inout RPCConfiguration, Bool) -> Void
    ) -> Bound {
        { isTaken in
            var configuration = RPCConfiguration()
            change(&configuration, isTaken)
            configuration.check()
        }
    }

    private static let bounds: [Bound] = [
        retry { $0.attemptsMax = $1 ? 1 : 0 },
        retry { $0.backoffBase = $1 ? .nanoseconds(1) : .zero },
        retry { $0.backoffCap = $1 ? .milliseconds(20) : .milliseconds(19) },
        retry { $0.budget.tokensMax = $1 ? 1_000_000 : 1_000_001 },
        retry { $0.budget.tokensPerSuccess = $1 ? 1 : 1.01 },
        retry { $0.budget.tokensPerSuccess = $1 ? 0.001 : 0 },
        hedging { $0.attemptsMax = $1 ? 10 : 11 },
        hedging { $0.delay = $1 ? .nanoseconds(1) : .zero },
        breaking { $0.failureShare = $1 ? 1 : 1.01 },
        breaking { $0.callsMin = $1 ? 1 : 0 },
        breaking { $0.window = $1 ? .nanoseconds(1) : .zero },
        breaking { $0.openTime = $1 ? .nanoseconds(1) : .zero },
        breaking { $0.probes = $1 ? 1 : 0 },
        breaking { $0.probes = $1 ? 1_000 : 1_001 },
        concurrency { $0.lowest = $1 ? 1 : 0 },
        concurrency { $0.lowest = $1 ? 32 : 33 },
        concurrency { $0.highest = $1 ? 32 : 31 },
        concurrency { $0.initial = $1 ? 4 : 3 },
        concurrency { $0.tolerance = $1 ? 1 : 0.99 },
        concurrency { $0.tolerance = $1 ? 1.6 : 1.61 },
        concurrency { $0.window = $1 ? .nanoseconds(1) : .zero },
        concurrency { $0.callsMin = $1 ? 1 : 0 },
        { RateLimit(callsPerSecond: $0 ? 1_000_000_000 : 1_000_000_001, burst: 1).check() },
        { RateLimit(callsPerSecond: 1_000, burst: $0 ? 1_000_000 : 1_000_001).check() },
        { RateLimit(callsPerSecond: $0 ? 0.01 : 0.000_1, burst: 1_000_000).check() },
        connection { $0.outgoingCallsMax = $1 ? 1 : 0 },
        connection { $0.whenFull = .wait(callsMax: $1 ? 0 : -1) },
        connection { $0.streamCreditBytes = $1 ? 1 << 31 - 1 : 1 << 31 },
        connection { $0.connectionCreditBytes = $1 ? 1 : 0 },
        connection { $0.ageJitter = $1 ? 0 : -0.01 },
        { _ = MessageCompressor(level: $0 ? 1 : 0) },
        { _ = MessageCompressor(level: $0 ? 9 : 10) },
        { _ = FrameDecoder(dataBytesMax: $0 ? 1 : 0) },
        { _ = FrameDecoder(dataBytesMax: $0 ? 4 << 20 : 4 << 20 + 1) },
    ]

    @Test(arguments: bounds.indices)
    func `a value at its bound is taken, one beyond it traps`(number: Int) async {
        Self.bounds[number](true)
        await #expect(processExitsWith: .failure) { [number] in
            Self.bounds[number](false)
        }
    }
}
