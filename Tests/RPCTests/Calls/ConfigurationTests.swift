import Testing

@testable import RPC

@Suite("Bounds of configurations")
struct ConfigurationTests {
    private static let bounds: [@Sendable (inout RPCConfiguration, Bool) -> Void] = [
        { $0.messageBytesMax = $1 ? 64 << 20 : 64 << 20 + 1 },
        { $0.messageBytesMax = $1 ? 1 : 0 },
        { $0.pieceBytesMax = $1 ? 1_024 : 1_023 },
        { $0.pieceBytesMax = $1 ? 4 << 20 : 4 << 20 + 1 },
        { $0.partialMessagesMax = $1 ? 0 : -1 },
        { $0.incomingCallsMax = $1 ? 1 : 0 },
        { $0.streamCreditBytes = $1 ? 1 : 0 },
        { $0.connectionCreditBytes = $1 ? 1 << 31 - 1 : 1 << 31 },
        { $0.ageMax = $1 ? .nanoseconds(1) : .zero },
        { $0.ageGrace = $1 ? .nanoseconds(1) : .zero },
        { $0.ageJitter = $1 ? 1 : 1.01 },
    ]

    @Test(arguments: bounds.indices)
    func `a setting at its bound is taken, one beyond it traps`(number: Int) async {
        var configuration = RPCConfiguration()
        Self.bounds[number](&configuration, true)
        _ = configuration.core
        await #expect(processExitsWith: .failure) { [number] in
            var configuration = RPCConfiguration()
            Self.bounds[number](&configuration, false)
            _ = configuration.core
        }
    }

    private static let policies: [@Sendable (inout RPCClientConfiguration, Bool) -> Void] = [
        { $0.callsMax = $1 ? 1 : 0 },
        { $0.whenFull = .wait(callsMax: $1 ? 0 : -1) },
        { $0.retry?.attemptsMax = $1 ? 100 : 101 },
        { $0.retry?.budget.tokensMax = $1 ? 1 : 0 },
        {
            $0.hedging = HedgingPolicy(); $0.hedging?.attemptsMax = $1 ? 2 : 1
        },
        {
            $0.breaker = ErrorRateBreaking(); $0.breaker?.failureShare = $1 ? 1 : 0
        },
    ]

    @Test(arguments: policies.indices)
    func `a client's policy at its bound is taken, one beyond it traps`(number: Int) async {
        var configuration = RPCClientConfiguration()
        Self.policies[number](&configuration, true)
        configuration.check()
        await #expect(processExitsWith: .failure) { [number] in
            var configuration = RPCClientConfiguration()
            Self.policies[number](&configuration, false)
            configuration.check()
        }
    }
}
