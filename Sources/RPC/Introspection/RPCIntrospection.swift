internal import NetPoll
internal import Synchronization

/// Services that a server has beside its own, so that others can look into it.
///
/// Whoever reaches the server may call them, so there are none unless they are asked for.
public struct RPCIntrospection: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `longwire.Health/Check`: ``RPCHealthService``.
    public static let health = RPCIntrospection(rawValue: 1 << 0)
    /// `longwire.Reflection/ListMethods`: ``RPCReflectionService/listMethods``.
    public static let methods = RPCIntrospection(rawValue: 1 << 1)
    /// `longwire.Reflection/Statistics`: ``RPCReflectionService/statistics``.
    public static let statistics = RPCIntrospection(rawValue: 1 << 2)

    /// All of them.
    public static let all: RPCIntrospection = [.health, .methods, .statistics]
}

/// What the services find out about their server.
final class IntrospectionSource: Sendable {
    private struct State {
        var methods: [RPCMethodDescription] = []
        // The loops hold the listeners, those the shards, those the handlers, and those this.
        weak var shards: RPCServerShards?
        weak var group: EventLoopGroup?
    }

    let health: RPCHealth
    private let state = Mutex(State())

    init(_ health: RPCHealth) { self.health = health }

    /// The server is made.
    func begin(_ shards: RPCServerShards, _ group: EventLoopGroup) {
        state.withLock { state in
            state.methods = shards.table.descriptions
            state.shards = shards
            state.group = group
        }
    }

    var methods: [RPCMethodDescription] { state.withLock { $0.methods } }

    func statistics() async -> [RPCMethodStatistics] {
        // A server that is gone has nothing to tell.
        let (shards, group) = state.withLock { ($0.shards, $0.group) }
        guard let shards, let group else { return [] }
        return await shards.statistics(of: group.loops)
    }
}

extension RPCHandlers {
    /// Adds the services that were asked for.
    mutating func addIntrospection(_ which: RPCIntrospection, _ source: IntrospectionSource) {
        if which.contains(.health) {
            let health = source.health
            handleInline(RPCHealthService.check) { request, _ in
                RPCHealthCheckReply(status: health[request.service])
            }
        }
        if which.contains(.methods) {
            handle(RPCReflectionService.listMethods, on: .loop) { _, _ in
                RPCMethodList(methods: source.methods)
            }
        }
        if which.contains(.statistics) {
            handle(RPCReflectionService.statistics, on: .loop) { _, _ in
                RPCStatisticsReply(await source.statistics())
            }
        }
    }
}
