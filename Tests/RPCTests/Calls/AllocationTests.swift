import AllocationCounter
import ConnPool
import LoopbackClient
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("Allocations of a call", .timeLimit(.minutes(10)))
struct AllocationTests {
    private enum Pooled: RPCService {
        static let serviceName = "test.Pooled"
        static let echo = unary("Echo", [UInt8].self, [UInt8].self)
    }

    /// A server on a real loop that the test turns itself.
    private final class Bench {
        let loop: EventLoop
        let server: RPCServer
        var address = SocketAddress.v4(0, port: 0)

        init() throws {
            loop = EventLoop(driver: try Platform.makeDriver())
            var handlers = RPCHandlers()
            handlers.handleBytesInline(Echo.inline) { request, _, reply in reply.append(request) }
            handlers.handle(Echo.echo, on: .loop) { request, _ in request }
            handlers.handle(Pooled.echo) { request, _ in request }
            server = RPCServer(group: EventLoopGroup(loops: [loop]), handlers: handlers)
        }

        /// Turns the loop until `isDone`; counts what the turns allocate, or all threads meanwhile.
        func turn(countingAll: Bool = false, until isDone: () -> Bool) throws -> UInt64 {
            var used: UInt64 = 0
            let deadline = loop.now + .seconds(20)
            let all = allocation_counter_total()
            while !isDone() {
                if loop.now >= deadline { throw RPCError(.deadlineExceeded) }
                let before = allocation_counter_count()
                loop.turn(until: loop.now + .milliseconds(10))
                used += allocation_counter_count() - before
            }
            return countingAll ? allocation_counter_total() - all : used
        }
    }

    private func makeBench() async throws -> Bench {
        let bench = try Bench()
        bench.loop.bindToCurrentThread()
        bench.address = try await bench.server.listen(
            on: SocketAddress(host: "127.0.0.1", port: 0))
        return bench
    }

    /// Sends `count` requests at a time with a deadline each, many times over; gives what serving one
    /// of them allocates.
    private func allocationsPerServedCall(_ bench: Bench, _ method: String) throws -> Double {
        // The thread may be another one after waiting for the server.
        bench.loop.bindToCurrentThread()
        defer { bench.loop.shutDown() }
        let client = try #require(LoopbackClient(port: bench.address.port ?? 0))
        let payload = [UInt8](repeating: 7, count: 64)
        let replyBytes = Sample.response(1, payload).bytes.count
        let count = 64
        var id: UInt32 = 1
        func rounds(_ rounds: Int) throws -> UInt64 {
            var used: UInt64 = 0
            for _ in 0..<rounds {
                var bytes: [UInt8] = []
                for _ in 0..<count {
                    bytes +=
                        Sample.request(
                            id, service: Echo.serviceName, method: method, timeout: 10_000_000_000,
                            payload
                        ).bytes
                    id += 2
                }
                client.send(bytes)
                let expected = client.received + count * replyBytes
                used += try bench.turn {
                    client.receive()
                    return client.received >= expected
                }
            }
            return used
        }
        let first = try rounds(20)
        #expect(first > 0, "calls were served without allocating at first")
        return Double(try rounds(50)) / Double(50 * count)
    }

    @Test(.enabled(if: allocation_counter_is_active()))
    func `an inline handler serves a call without allocating`() async throws {
        let used = try allocationsPerServedCall(try await makeBench(), Echo.inline.name)
        #expect(used == 0)
    }

    @Test(.enabled(if: allocation_counter_is_active()))
    func `an async handler serves a call with one allocation, its request`() async throws {
        let used = try allocationsPerServedCall(try await makeBench(), Echo.echo.name)
        #expect(used <= 1)
    }

    /// Counts the calls a client's tasks made.
    private final class Count: Sendable {
        let value = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
    }

    @Test(.enabled(if: allocation_counter_is_active()))
    func `a call of lent bytes to an inline handler allocates nothing on either side`() async throws
    {
        let options = Self.options
        let used = try allocationsPerCall(try await makeBench()) { address, loop in
            let connection = try await RPCConnection.connect(to: address, on: loop)
            return { request in
                try await connection.callBytes(Echo.inline, request, options: options) {
                    $0.byteCount
                }
            }
        }
        #expect(used == 0)
    }

    @Test(.enabled(if: allocation_counter_is_active()))
    func `a call with metadata takes one allocation on each side`() async throws {
        let options = Self.options
        // The server's is the request, the client's the reply.
        let used = try allocationsPerCall(try await makeBench()) { address, loop in
            let connection = try await RPCConnection.connect(to: address, on: loop)
            return { request in
                try await connection.call(Echo.echo, request, options: options).count
            }
        }
        #expect(used <= 2)
    }

    /// What a client's call may allocate beside its messages: a part of the line that the pool leases
    /// once for so many calls.
    private static let shareOfLine = 3 / Double(Line.callsMax)

    @Test(.enabled(if: allocation_counter_is_active()))
    func `a client's call of lent bytes allocates nothing but its line, once in 64 calls`()
        async throws
    {
        let options = Self.options
        let used = try allocationsPerCall(try await makeBench()) { address, loop in
            let client = RPCClient(to: .address(address), on: [loop])
            return { request in
                try await client.callBytes(Echo.inline, request, options: options) {
                    $0.byteCount
                }
            }
        }
        #expect(used <= Self.shareOfLine)
    }

    @Test(.enabled(if: allocation_counter_is_active()))
    func `a client's call with metadata takes one on each side, too`() async throws {
        let options = Self.options
        let used = try allocationsPerCall(try await makeBench()) { address, loop in
            let client = RPCClient(to: .address(address), on: [loop])
            return { request in
                try await client.call(Echo.echo, request, options: options).count
            }
        }
        #expect(used <= 2 + Self.shareOfLine)
    }

    /// Where callers and handlers run that are not on the loop: on threads of the pool.
    @Test(
        .enabled(if: allocation_counter_is_active()),
        arguments: [(true, false), (false, true), (false, false)])
    func `a call takes one more where its handler is on the pool, and two where its caller is`(
        callsOnLoop: Bool, servesOnLoop: Bool
    ) async throws {
        let options = Self.options
        let method = servesOnLoop ? Echo.echo : Pooled.echo
        let bench = try await makeBench()
        allocation_counter_watch_all(true)
        defer { allocation_counter_watch_all(false) }
        let used = try allocationsPerCall(bench, onLoop: callsOnLoop, countingAll: true) {
            address, loop in
            let client = RPCClient(to: .address(address), on: [loop])
            return { request in
                try await client.call(method, request, options: options).count
            }
        }
        let threads = (servesOnLoop ? 0.0 : 1) + (callsOnLoop ? 0 : 2)
        // What bursts of other sizes than before need besides is less than one.
        #expect(used < 2 + threads + 1)
    }

    private static let options = CallOptions(
        timeout: .seconds(10), metadata: ["trace": "0123456789abcdef"])

    /// Makes a call; gives the bytes of the reply.
    private typealias Call = @Sendable ([UInt8]) async throws -> Int

    /// Client and server are on one loop, with 64 calls in flight.
    private func allocationsPerCall(
        _ bench: Bench, onLoop: Bool = true, countingAll: Bool = false,
        _ prepare: @escaping @Sendable (SocketAddress, EventLoop) async throws -> Call
    ) throws -> Double {
        bench.loop.bindToCurrentThread()
        defer { bench.loop.shutDown() }
        let count = Count()
        let (loop, address) = (bench.loop, bench.address)
        let executor: EventLoop? = onLoop ? loop : nil
        let task = Task(executorPreference: executor) {
            let call = try await prepare(address, loop)
            try await withThrowingTaskGroup { tasks in
                for _ in 0..<64 {
                    tasks.addTask(executorPreference: executor) {
                        let request = [UInt8](repeating: 7, count: 64)
                        while !count.isOver.load(ordering: .relaxed) {
                            let bytes = try await call(request)
                            // An expectation would allocate itself.
                            guard bytes == 64 else { throw RPCError(.dataLoss) }
                            count.value.add(1, ordering: .relaxed)
                        }
                    }
                }
                try await tasks.waitForAll()
            }
        }
        func turn(_ calls: Int) throws -> UInt64 {
            let end = count.value.load(ordering: .relaxed) + calls
            return try bench.turn(countingAll: countingAll) {
                count.value.load(ordering: .relaxed) >= end
            }
        }
        _ = try turn(2_000)
        let before = count.value.load(ordering: .relaxed)
        let used = try turn(5_000)
        let made = count.value.load(ordering: .relaxed) - before
        count.isOver.store(true, ordering: .relaxed)
        task.cancel()
        return Double(used) / Double(made)
    }
}
