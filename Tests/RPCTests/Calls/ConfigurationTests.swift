import ConnPool
import NetPoll
import Testing

@testable import RPC

private let twentyDays = Duration.seconds(20 * 86_400)

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
        { $0.outgoingCallsMax = $1 ? 1 << 31 - 1 : 1 << 31 },
        { $0.callTimeout = $1 ? .nanoseconds(1) : .zero },
        { $0.pingInterval = $1 ? .nanoseconds(1) : .zero },
        { $0.pingInterval = $1 ? twentyDays : twentyDays + .nanoseconds(1) },
        { $0.pingInterval = $1 ? nil : .seconds(Int64.max) },
        { $0.pingTimeout = $1 ? .nanoseconds(1) : .zero },
        { $0.pingTimeout = $1 ? twentyDays : twentyDays + .nanoseconds(1) },
        { $0.tcpKeepAlive?.idle = $1 ? .nanoseconds(1) : .zero },
        { $0.tcpKeepAlive?.interval = $1 ? .seconds(32_767) : .seconds(32_768) },
        { $0.tcpKeepAlive?.probesMax = $1 ? 127 : 128 },
        { $0.tcpKeepAlive?.probesMax = $1 ? 1 : 0 },
        {
            $0.compression = .zlib
            $0.compression?.level = $1 ? 9 : 10
        },
        {
            $0.compression = .zlib
            $0.compression?.level = $1 ? 1 : 0
        },
        {
            $0.compression = .zlib
            $0.compression?.messageBytesMin = $1 ? 0 : -1
        },
        { $0.connection.sendQueueBytesMax = $1 ? 1 : 0 },
        { $0.connection.overflow = $1 ? .close : .refuse },
        { $0.connection.lowWatermark = $0.connection.highWatermark + ($1 ? 0 : 1) },
    ]

    @Test(arguments: bounds.indices)
    func `a setting at its bound is taken, one beyond it traps`(number: Int) async {
        var configuration = RPCConfiguration()
        Self.bounds[number](&configuration, true)
        configuration.check()
        await #expect(processExitsWith: .failure) { [number] in
            var configuration = RPCConfiguration()
            Self.bounds[number](&configuration, false)
            configuration.check()
        }
    }

    private static let policies: [@Sendable (inout RPCClientConfiguration, Bool) -> Void] = [
        { $0.callsMax = $1 ? 1 : 0 },
        { $0.callsMax = $1 ? 1 << 24 : 1 << 24 + 1 },
        { $0.connection.pingTimeout = $1 ? .nanoseconds(1) : .zero },
        { $0.connecting.timeout = $1 ? .nanoseconds(1) : .zero },
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

    /// Gives a configuration to what is made of one: a server, a client, a connection.
    private static func give(_ configuration: RPCConfiguration, to place: Int) throws {
        let world = try RPCWorld()
        switch place {
        case 0:
            _ = RPCServer(group: world.group, handlers: .init(), configuration: configuration)
        case 1:
            var settings = RPCClientConfiguration()
            settings.connection = configuration
            _ = RPCClient(
                to: .address(world.address), on: world.group.loops, configuration: settings)
        default: _ = try world.connect(configuration)
        }
    }

    @Test(arguments: 0..<3)
    func `a configuration is checked where it is given`(place: Int) async throws {
        try Self.give(RPCConfiguration(), to: place)
        await #expect(processExitsWith: .failure) { [place] in
            var configuration = RPCConfiguration()
            configuration.connection.lowWatermark = configuration.connection.highWatermark + 1
            // An error would be no trap.
            do { try Self.give(configuration, to: place) } catch {}
        }
    }
}
