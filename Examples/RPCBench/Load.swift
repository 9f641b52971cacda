import ArgumentParser
import ConnPool
import NetPoll
import RPC

struct Load: AsyncParsableCommand {
    enum Callers: String, ExpressibleByArgument, CaseIterable {
        case loop
        case pool
    }

    static let configuration = CommandConfiguration(
        abstract: "Calls bench.Echo and prints rate and latencies.",
        discussion: """
            Every call has a timeout and one entry of metadata, and can be cancelled. The first \
            second is not counted. Every reply is checked.
            """)

    @Option(help: "The server's numeric address.")
    var host = "127.0.0.1"

    @Option(help: "The server's port.")
    var port: UInt16 = 4_000

    @Option(help: "Connections.")
    var connections = 1

    @Option(help: "Calls in flight on each connection.")
    var inFlight = 64

    @Option(help: "Bytes of a request.")
    var bytes = 64

    @Option(help: "Where the callers' tasks run: on the connection's loop, or on the global pool.")
    var callers = Callers.loop

    @Option(help: "Jobs of tasks in one turn of a loop, after which what was written is sent.")
    var flushJobs = EventLoop.Configuration().jobsPerFlushMax

    @Option(help: "Microseconds that a loop looks for more before it sleeps.")
    var idlePoll = 0

    @Option(help: "Seconds that are counted.")
    var seconds = 5.0

    @Flag(help: "Calls through an RPCClient, with its pool, retries and limits; one client.")
    var client = false

    func validate() throws {
        guard connections > 0, (1...65_536).contains(inFlight), seconds > 0, flushJobs > 0,
            idlePoll >= 0, (0...4 << 20 - 256).contains(bytes)
        else { throw ValidationError("A number is out of range.") }
    }

    func run() async throws {
        do {
            // Not from the main actor, whose thread every call would have to come back to.
            try await Task.detached { try await load() }.value
        } catch let error as ConnectError {
            throw CleanFailure(description: "\(error)")
        } catch let error as RPCError {
            throw CleanFailure(description: "\(error)")
        }
    }

    private func load() async throws {
        var groupConfiguration = EventLoopGroup.Configuration()
        groupConfiguration.loops = 1
        groupConfiguration.loop.jobsPerFlushMax = flushJobs
        groupConfiguration.loop.idlePollTime = .microseconds(idlePoll)
        let group = try EventLoopGroup(configuration: groupConfiguration)
        let loop = group.loops[0]
        let address = try SocketAddress(host: host, port: port)
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = inFlight
        let clock = ContinuousClock()
        let start = clock.now + .seconds(1)
        let end = start + .seconds(seconds)
        var samples: [UInt32] = []
        try await withThrowingTaskGroup(of: [UInt32].self) { tasks in
            for _ in 0..<(client ? 1 : connections) {
                if client {
                    let client = makeClient(to: address, on: loop, configuration)
                    for _ in 0..<inFlight * connections {
                        tasks.addTask(executorPreference: loop) {
                            try await drive(from: start, until: end) { request, options in
                                try await client.call(Bench.echo, request, options: options)
                            }
                        }
                    }
                    continue
                }
                let connection = try await RPCConnection.connect(
                    to: address, on: loop, configuration: configuration)
                for _ in 0..<inFlight {
                    tasks.addTask(executorPreference: callers == .loop ? loop : nil) {
                        try await drive(from: start, until: end) { request, options in
                            try await connection.call(Bench.echo, request, options: options)
                        }
                    }
                }
            }
            for try await taken in tasks { samples += taken }
        }
        report(samples.sorted())
    }

    private func makeClient(
        to address: SocketAddress, on loop: EventLoop, _ connection: RPCConfiguration
    ) -> RPCClient {
        var configuration = RPCClientConfiguration()
        configuration.connection = connection
        configuration.pool.pool.connectionsMax = connections
        return RPCClient(to: .address(address), on: [loop], configuration: configuration)
    }

    private func drive(
        from start: ContinuousClock.Instant, until end: ContinuousClock.Instant,
        _ call: ([UInt8], CallOptions) async throws -> [UInt8]
    ) async throws -> [UInt32] {
        let clock = ContinuousClock()
        let request = [UInt8](repeating: UInt8(ascii: "a"), count: bytes)
        let options = CallOptions(
            timeout: .seconds(10), metadata: ["trace": "0123456789abcdef"])
        var samples: [UInt32] = []
        samples.reserveCapacity(1 << 16)
        var before = clock.now
        while before < end {
            let reply = try await call(request, options)
            guard Self.isEqual(reply, request) else {
                throw CleanFailure(description: "a reply differs from its request")
            }
            let after = clock.now
            if before >= start {
                // A call takes less than its timeout: the attoseconds fit 64 bits.
                let attoseconds = UInt64(truncatingIfNeeded: (after - before).attoseconds)
                samples.append(UInt32(clamping: attoseconds / 1_000_000_000))
            }
            before = after
        }
        return samples
    }

    /// Whether two messages are the same, at eight bytes a step.
    private static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        let (one, other) = (one.span.bytes, other.span.bytes)
        var cursor = 0
        while cursor + 8 <= one.byteCount {
            let (left, right) = (
                one.unsafeLoadUnaligned(fromByteOffset: cursor, as: UInt64.self),
                other.unsafeLoadUnaligned(fromByteOffset: cursor, as: UInt64.self)
            )
            guard left == right else { return false }
            cursor += 8
        }
        while cursor < one.byteCount {
            guard
                one.unsafeLoad(fromByteOffset: cursor, as: UInt8.self)
                    == other.unsafeLoad(fromByteOffset: cursor, as: UInt8.self)
            else { return false }
            cursor += 1
        }
        return true
    }

    private func report(_ samples: [UInt32]) {
        func microseconds(_ share: Double) -> Double {
            guard !samples.isEmpty else { return 0 }
            let index = min(samples.count - 1, Int(Double(samples.count) * share))
            return Double(samples[index] / 100) / 10
        }
        print(
            "calls/s=\(Int(Double(samples.count) / seconds)) connections=\(connections)"
                + " inflight=\(inFlight) bytes=\(bytes) callers=\(callers) p50us=\(microseconds(0.5))"
                + " p99us=\(microseconds(0.99)) p999us=\(microseconds(0.999))")
    }
}
