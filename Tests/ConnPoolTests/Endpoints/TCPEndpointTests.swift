import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

@Suite("EndpointPool over TCP", .timeLimit(.minutes(10)))
struct TCPEndpointTests {
    /// Says its name to everyone who asks.
    private final class Server: ConnectionHandler {
        let name: String

        init(_ name: String) { self.name = name }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            connection.write(name.utf8Span.span.bytes)
        }
    }

    @Test func `a server that is gone is left out and others answer in its place`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        var listeners: [Listener] = []
        for (index, name) in ["a", "b", "c"].enumerated() {
            let address = try SocketAddress(host: "127.0.0.\(index + 1)", port: 7)
            listeners.append(try loop.listen(on: address) { _, _ in Server(name) })
        }
        let addresses = Dictionary(
            uniqueKeysWithValues: zip(["a", "b", "c"], listeners.map(\.address)))
        var configuration = EndpointPoolConfiguration()
        configuration.balancing.policy = .roundRobin
        let pool = EndpointPool(
            endpoints: ["a", "b", "c"].map { Endpoint(name: $0) }, on: [loop],
            configuration: configuration
        ) { endpoint in
            guard let address = addresses[endpoint.name] else {
                preconditionFailure("no server \(endpoint.name)")
            }
            return .address(address)
        }

        func answers(_ count: Int) throws -> String {
            let result = Mutex<Result<String, any Error>?>(nil)
            Task(executorPreference: loop) {
                do {
                    var text = ""
                    for _ in 0..<count {
                        text += try await pool.withConnection { connection in
                            try await connection.write("who?")
                            var inbound = connection.inbound.makeAsyncIterator()
                            let bytes = try await inbound.next()
                            return bytes.map { String(decoding: $0, as: UTF8.self) } ?? "-"
                        }
                    }
                    result.withLock { $0 = .success(text) }
                } catch {
                    result.withLock { $0 = .failure(error) }
                }
            }
            let isDone = network.run(within: .seconds(60)) { result.withLock { $0 != nil } }
            try #require(isDone)
            return try #require(result.withLock { $0 }).get()
        }

        #expect(try answers(6) == "abcabc")
        listeners[1].close()
        network.setRoute(.refused, to: listeners[1].address)
        // Its connections live; they are replaced by dials that are refused.
        try #require(pool.snapshot.entries.count == 3)
        let drained = Mutex(false)
        Task(executorPreference: loop) {
            await pool.remove("b", drainUntil: pool.now)
            pool.add(Endpoint(name: "b"))
            drained.withLock { $0 = true }
        }
        try #require(network.run(within: .seconds(60)) { drained.withLock { $0 } })
        let text = try answers(12)
        #expect(text.count == 12 && !text.contains("b"))
        #expect(pool.snapshot.failovers + pool.snapshot.passedOver > 0)
    }
}
