public import Hub
import Logging
public import NetPoll
public import NetPollTesting

/// A hub with an application on a simulated network, for tests that neither sleep nor open sockets:
/// time passes when they say so, and everything is the same each time for the same seed.
public final class SimulatedHub {
    /// The network, for faults, partitions and leaps of the clock.
    public let network: SimulatedNetwork
    /// The hub.
    public let hub: HubServer
    /// Its loops, which clients that are not scripted may use too.
    public let group: EventLoopGroup
    /// Where it listens.
    public let address = SocketAddress.v4(0x0100_007f, port: 80)

    /// Starts a hub.
    ///
    /// - Parameters:
    ///   - application: What is tested.
    ///   - configuration: The hub's settings; the calendar is the network's.
    ///   - seed: What faults are drawn from.
    ///   - faults: What goes wrong, and how often.
    ///   - loops: Event loops.
    /// - Throws: What listening throws.
    public convenience init(
        _ application: any HubApplication, configuration: HubConfiguration = .init(),
        seed: UInt64 = 0, faults: Faults = Faults(), loops: Int = 1
    ) async throws {
        let network = SimulatedNetwork(seed: seed, faults: faults)
        try await self.init(
            application, configuration: configuration, on: network,
            group: network.makeGroup(loops: loops))
    }

    /// Starts a hub on loops that there are already, as its settings may need them.
    ///
    /// - Parameters:
    ///   - application: What is tested.
    ///   - configuration: The hub's settings; the calendar is the network's.
    ///   - network: Where it is.
    ///   - group: The network's loops.
    /// - Throws: What listening throws.
    public init(
        _ application: any HubApplication, configuration: HubConfiguration,
        on network: SimulatedNetwork, group: EventLoopGroup
    ) async throws {
        (self.network, self.group) = (network, group)
        var configuration = configuration
        let loop = group.loops[0]
        configuration.calendar = {
            Timestamp(milliseconds: loop.clock.now.nanoseconds / 1_000_000)
        }
        hub = HubServer(
            group: group, configuration: configuration, application: application,
            logger: Logger(label: "simulated") { _ in SwiftLogNoOpLogHandler() })
        try await hub.listen(on: address)
    }

    /// A client that has asked for a WebSocket and was answered, or not within 5 s.
    ///
    /// - Parameters:
    ///   - target: Path and query.
    ///   - subprotocol: What to ask for.
    ///   - windowBytes: How much waits for a client that does not read before the hub's sends stop.
    /// - Returns: The client; `nil` where nobody listens any more.
    public func connect(
        _ target: String = "/ws", subprotocol: String? = nil, windowBytes: Int = 64 << 10
    ) -> SimulatedClient? {
        guard let peer = network.connect(to: address, windowBytes: windowBytes) else { return nil }
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade(target, subprotocol: subprotocol)
        _ = network.run(within: .seconds(5)) { client.isUpgraded || peer.isEnded }
        network.run(for: .milliseconds(50))
        return client
    }

    /// Lets so much time pass.
    public func run(for duration: Duration) { network.run(for: duration) }
}
