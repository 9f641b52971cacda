import InMemoryTracing
import NetPoll
import NetPollTesting
import RPC
import RPCTesting
import RPCTracing
import Synchronization
import Testing
import Tracing

private enum Relay: RPCService {
    static let serviceName = "test.Relay"
    /// Calls ``echo`` by a client of its own.
    static let relay = unary("Relay", [UInt8].self, [UInt8].self)
    /// Calls ``echo`` of its caller.
    static let back = unary("Back", [UInt8].self, [UInt8].self)
    static let echo = unary("Echo", [UInt8].self, [UInt8].self)
    static let inline = unary("Inline", [UInt8].self, [UInt8].self)
    static let fail = unary("Fail", [UInt8].self, [UInt8].self)
    static let count = serverStreaming("Count", [UInt8].self, [UInt8].self)
}

@Suite("RPCTracingInterceptor")
struct TracingTests {
    /// A server, a client of it, and one that the server's handlers use.
    private final class World {
        let tracer = InMemoryTracer()
        let bed: RPCTestbed
        let client: RPCClient
        private let inner = Inner()

        private final class Inner: Sendable {
            let client = Mutex<RPCClient?>(nil)
        }

        init() throws {
            let (tracer, inner) = (tracer, inner)
            let interceptors = [RPCTracingInterceptor(tracer: tracer)]
            var own = RPCHandlers()
            own.interceptors = interceptors
            own.handle(Relay.echo) { request, _ in request }
            var handlers = own
            handlers.handleInline(Relay.inline) { request, _ in request }
            handlers.handle(Relay.fail) { _, _ in throw RPCError(.notFound, "nothing there") }
            handlers.handle(Relay.count) { request, replies, _ in
                for number in request { try await replies.send([number]) }
            }
            handlers.handle(Relay.relay) { request, _ in
                guard let client = inner.client.withLock({ $0 }) else {
                    throw RPCError(.unavailable)
                }
                return try await client.call(Relay.echo, request)
            }
            handlers.handle(Relay.back) { request, context in
                var options = CallOptions()
                options.metadata.addTraceContext(tracer: tracer)
                return try await context.connection.call(Relay.echo, request, options: options)
            }
            bed = try RPCTestbed(handlers: handlers)
            var configuration = RPCClientConfiguration()
            configuration.interceptors = interceptors
            client = bed.makeClient(configuration: configuration, handlers: own)
            let made = bed.makeClient(configuration: configuration)
            inner.client.withLock { $0 = made }
        }

        deinit { inner.client.withLock { $0 = nil } }

        /// The spans that ended since this was asked last, the first to end first.
        func spans() -> [FinishedInMemorySpan] { tracer.popFinishedSpans() }
    }

    private func names(_ spans: [FinishedInMemorySpan]) -> [String] {
        spans.map { "\($0.operationName) \($0.kind)" }
    }

    @Test func `one trace goes through all calls, each span the child of the one before`() throws {
        let world = try World()
        let client = world.client
        #expect(try world.bed.run { try await client.call(Relay.relay, [1, 2]) } == [1, 2])
        let spans = world.spans()
        #expect(
            names(spans) == [
                "test.Relay/Echo server", "test.Relay/Echo client",
                "test.Relay/Relay server", "test.Relay/Relay client",
            ])
        #expect(Set(spans.map(\.traceID)).count == 1)
        for (child, parent) in zip(spans, spans.dropFirst()) {
            // What a tracer extracts is a context with the caller's span.
            #expect(child.parentSpanID == parent.spanID)
        }
        #expect(spans.last?.parentSpanID == nil)
        #expect(spans.last?.attributes.get("rpc.system") == .string("ttrpc"))
        #expect(spans.last?.attributes.get("rpc.service") == .string("test.Relay"))
        #expect(spans.last?.attributes.get("rpc.method") == .string("Relay"))
    }

    @Test func `calls of one task after another have traces of their own`() throws {
        let world = try World()
        let client = world.client
        for _ in 0..<3 { _ = try world.bed.run { try await client.call(Relay.relay, []) } }
        let spans = world.spans()
        #expect(spans.count == 12)
        #expect(Set(spans.map(\.traceID)).count == 3)
    }

    @Test func `the caller's span is the parent`() throws {
        let world = try World()
        let (client, tracer) = (world.client, world.tracer)
        try world.bed.run {
            try await tracer.withAnySpan("outside", context: .topLevel, ofKind: .internal) { _ in
                _ = try await client.call(Relay.inline, [])
            }
        }
        let spans = world.spans()
        #expect(
            names(spans) == [
                "test.Relay/Inline server", "test.Relay/Inline client", "outside internal",
            ])
        try #require(spans.count == 3)
        #expect(spans[1].parentSpanID == spans[2].spanID)
    }

    @Test func `a stream is one span on each side`() throws {
        let world = try World()
        let client = world.client
        let count = try world.bed.run {
            try await client.call(Relay.count, [1, 2, 3]) {
                try await $0.reduce(0) { n, _ in n + 1 }
            }
        }
        #expect(count == 3)
        let spans = world.spans()
        #expect(Set(names(spans)) == ["test.Relay/Count server", "test.Relay/Count client"])
        #expect(Set(spans.map(\.traceID)).count == 1)
    }

    @Test func `a call back to the caller goes on with the trace`() throws {
        let world = try World()
        let client = world.client
        // The first reply brings the extensions, without which nobody is called back.
        _ = try world.bed.run { try await client.call(Relay.echo, []) }
        _ = world.spans()
        #expect(try world.bed.run { try await client.call(Relay.back, [7]) } == [7])
        let spans = world.spans()
        #expect(
            names(spans) == [
                "test.Relay/Echo server", "test.Relay/Back server", "test.Relay/Back client",
            ])
        try #require(spans.count == 3)
        #expect(spans[0].parentSpanID == spans[1].spanID)
        #expect(Set(spans.map(\.traceID)).count == 1)
    }

    @Test func `a failed call is told of on both sides`() throws {
        let world = try World()
        let client = world.client
        let error = try #require(throws: RPCError.self) {
            _ = try world.bed.run { try await client.call(Relay.fail, []) }
        }
        #expect(error.code == .notFound)
        let spans = world.spans()
        #expect(spans.count == 2)
        for span in spans {
            #expect(span.attributes.get("rpc.ttrpc.status_code") == .int64(5))
            #expect(span.status?.code == .error)
            #expect(!span.errors.isEmpty)
        }
    }

    @Test func `metadata without a context starts a trace`() throws {
        let world = try World()
        let client = world.bed.makeClient()
        _ = try world.bed.run { try await client.call(Relay.echo, []) }
        let spans = world.spans()
        #expect(names(spans) == ["test.Relay/Echo server"])
        #expect(spans.first?.parentSpanID == nil)
        var metadata = RPCMetadata()
        metadata.addTraceContext(nil, tracer: world.tracer)
        #expect(metadata.isEmpty)
    }
}
