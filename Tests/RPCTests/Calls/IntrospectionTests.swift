import ConnPool
import NetPoll
import NetPollTesting
import Testing

@testable import RPC

@Suite("Introspection")
struct IntrospectionTests {
    private func world(_ introspection: RPCIntrospection) throws -> RPCWorld {
        var configuration = RPCConfiguration()
        configuration.introspection = introspection
        return try RPCWorld(configuration: configuration)
    }

    @Test func `a server tells nothing that was not asked for`() throws {
        let world = try world([.health])
        let connection = try world.connect()
        let reply = try world.run {
            try await connection.call(RPCHealthService.check, RPCHealthCheckRequest())
        }
        #expect(reply.status == .serving)
        let error = try #require(throws: RPCError.self) {
            try world.run {
                try await connection.call(RPCReflectionService.listMethods, .init())
            }
        }
        #expect(error.code == .unimplemented)
        #expect(
            throws: RPCError.self,
            performing: {
                try world.run {
                    try await connection.call(RPCReflectionService.statistics, .init())
                }
            })
    }

    @Test func `methods are listed with their shapes`() throws {
        let world = try world(.all)
        let connection = try world.connect()
        let list = try world.run {
            try await connection.call(RPCReflectionService.listMethods, .init())
        }
        let names = list.methods.map { "\($0.service)/\($0.name) \($0.shape)" }
        #expect(names.first == "test.Echo/Echo unary")
        #expect(names.contains("longwire.Reflection/ListMethods unary"))
        #expect(names.contains("longwire.Health/Check unary"))
    }

    @Test func `calls are counted and measured by method`() throws {
        let world = try world(.all)
        let connection = try world.connect()
        let waiting = world.start {
            try await connection.call(
                Echo.wait, [], options: .init(timeout: .milliseconds(100)))
        }
        try world.run {
            for _ in 0..<3 { _ = try await connection.call(Echo.echo, [1]) }
            for _ in 0..<2 { _ = try await connection.call(Echo.inline, [1]) }
        }
        // It has to fail, which is counted below.
        _ = try? world.run { try await connection.call(Echo.fail, [1]) }
        let before = try world.run { [server = world.server] in await server.statistics() }
        #expect(before.first { $0.name == "Wait" }?.running == 1)
        _ = world.network.run(within: .seconds(1)) { waiting.isOver }
        world.network.runUntilIdle()

        let statistics = try world.run { [server = world.server] in await server.statistics() }
        func method(_ name: String) throws -> RPCMethodStatistics {
            try #require(statistics.first { $0.name == name })
        }
        let echo = try method("Echo")
        #expect([echo.started, echo.ended, echo.failed] == [3, 3, 0])
        #expect(echo.durations.count == 3)
        let inline = try method("Inline")
        #expect([inline.started, inline.ended, inline.failed] == [2, 2, 0])
        #expect(inline.durations.quantile(0.5) == nil)
        #expect(try method("Fail").failed == 1)
        let wait = try method("Wait")
        #expect([wait.started, wait.ended, wait.failed] == [1, 1, 1])
        let median = try #require(wait.durations.quantile(0.5))
        #expect(median >= .milliseconds(100) && median < .milliseconds(115))
    }

    @Test func `calls within interceptors are counted for their methods`() throws {
        struct Nothing: RPCInterceptor {
            func intercept(
                _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
            ) async throws {
                try await next(call)
            }
        }
        var handlers = RPCWorld.handlers(Witness())
        handlers.interceptors = [Nothing()]
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect()
        let statistics = try world.run { [server = world.server] in
            for _ in 0..<2 { _ = try await connection.call(Echo.inline, [1]) }
            return await server.statistics()
        }
        #expect(statistics.first { $0.name == "Inline" }?.ended == 2)
        #expect(statistics.first { $0.name == "Echo" }?.started == 0)
    }

    @Test func `statistics come across`() throws {
        let world = try world(.all)
        let connection = try world.connect()
        let reply = try world.run {
            _ = try await connection.call(Echo.echo, [1])
            return try await connection.call(RPCReflectionService.statistics, .init())
        }
        let echo = try #require(reply.methods.first { $0.name == "Echo" })
        #expect(echo.service == "test.Echo")
        #expect([echo.started, echo.ended] == [1, 1])
        let own = try #require(reply.methods.first { $0.name == "Statistics" })
        #expect([own.started, own.ended] == [1, 0])
    }

    @Test func `health is each service's, and nobody's while the server drains`() throws {
        let world = try world([.health])
        let health = world.server.health
        #expect(health[""] == .serving)
        #expect(health["test.Echo"] == .serviceUnknown)
        health["test.Echo"] = .notServing
        let connection = try world.connect()
        let reply = try world.run {
            try await connection.call(
                RPCHealthService.check, RPCHealthCheckRequest(service: "test.Echo"))
        }
        #expect(reply.status == .notServing)
        try world.run { [server = world.server] in await server.drain(deadline: .seconds(1)) }
        #expect(health[""] == .notServing)
        #expect(health["test.Other"] == .notServing)
    }

    @Test func `the health service speaks grpc.health.v1's messages`() throws {
        let request: [UInt8] = [0x0a, 0x01, 0x61]
        #expect(try RPCHealthCheckRequest(decoding: request.span.bytes).service == "a")
        var payload = PayloadWriter()
        RPCHealthCheckReply(status: .notServing).encode(to: &payload)
        #expect(payload.withSpan { [UInt8](decoding: $0) } == [0x08, 0x02])
    }

    @Test func `messages come back as they were, and broken ones are refused`() throws {
        let list = RPCMethodList(methods: [
            .init(service: "a.B", name: "C", shape: .serverStreaming),
            .init(service: "", name: "d", shape: .bidirectional),
        ])
        var payload = PayloadWriter()
        list.encode(to: &payload)
        #expect(try payload.withSpan { try RPCMethodList(decoding: $0) } == list)
        for bytes in [[0x0a], [0x08, 0x01], [0x0a, 0x03, 0x0a, 0x01, 0xff]] as [[UInt8]] {
            #expect(throws: EnvelopeError.self) { try RPCMethodList(decoding: bytes.span.bytes) }
        }
    }
}
