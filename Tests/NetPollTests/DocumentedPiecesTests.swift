import Glibc
import NetPoll
import NetPollTesting
import Testing

/// What the articles BeyondConnections and EndAServer show, word for word; but for signals, which
/// ``SignalTests`` has.
@Suite("Documented pieces", .timeLimit(.minutes(1)))
struct DocumentedPiecesTests {
    /// Without what lines are indented by.
    private static func lines(_ text: some StringProtocol) -> [Substring] {
        text.split(separator: "\n").map { Substring($0.drop { $0 == " " }) }
            .filter { !$0.isEmpty }
    }

    @Test(arguments: ["BeyondConnections", "EndAServer"])
    func `what an article shows is compiled, and run`(article: String) throws {
        let page = try repositoryText("Sources/NetPoll/NetPoll.docc/\(article).md")
        let shown = page.split(separator: "```swift\n").dropFirst().compactMap {
            $0.split(separator: "```").first
        }
        #expect(shown.count >= 2)
        let tests = try ["DocumentedPiecesTests", "SignalTests"].map {
            Self.lines(try repositoryText("Tests/NetPollTests/\($0).swift"))
        }
        for piece in shown {
            let wanted = Self.lines(piece)
            #expect(tests.contains { $0.firstRange(of: wanted) != nil }, "\(piece)")
        }
    }

    final class UDPEcho: DatagramHandler {
        func received(
            _ bytes: inout MutableRawSpan, _ arrival: DatagramArrival, on socket: DatagramSocket
        ) {
            socket.send(bytes.bytes, to: arrival.source)
        }
    }

    @Test func `datagrams are echoed`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let socket = try loop.openDatagramSocket(
            on: SocketAddress(host: "127.0.0.1", port: 0), handler: UDPEcho())
        let catcher = Catcher()
        let client = try loop.openDatagramSocket(
            on: SocketAddress(host: "127.0.0.1", port: 0), handler: catcher)
        client.send(bytes: [1, 2], to: socket.address)
        network.runUntilIdle()
        #expect(catcher.received == [[1, 2]])
    }

    private final class FileSender: ConnectionHandler {
        func opened(_ connection: Connection) {
            do {
                try send(#filePath, to: connection)
            } catch {
                connection.abort()
            }
            connection.close()
        }

        func send(_ path: String, to connection: Connection) throws {
            let file = try OpenFile(path: path)
            if connection.send(file, offset: 0, count: try file.byteCount) == .refused {
                connection.abort()
            }
        }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {}
    }

    @Test func `a file is sent, with keepalive`() throws {
        let world = try DriverKind.system.makeWorld()
        var configuration = Listener.Configuration()
        configuration.options.keepAlive = .init(
            idle: .seconds(30), interval: .seconds(5), probesMax: 3)
        let listener = try world.loop.listen(
            on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration
        ) { _, _ in FileSender() }
        let client = try #require(world.connect(to: listener.address))
        #expect(world.run { client.isEnded })
        let own = try repositoryText("Tests/NetPollTests/DocumentedPiecesTests.swift")
        #expect(client.text == own)
    }

    final class Summing: ConnectionHandler {
        let pool: WorkerPool

        init(_ pool: WorkerPool) { self.pool = pool }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            let question = bytes.bytes.withUnsafeBytes { Array($0) }
            let (loop, id) = (connection.loop, connection.id)
            do throws(WorkerPoolError) {
                try pool.submit {
                    let answer = [slowSum(of: question)]
                    loop.execute { loop.connection(id)?.write(answer.span.bytes) }
                }
            } catch {
                connection.abort()
            }
        }
    }

    @Test func `slow work is done by workers, for a task and for a handler`() async throws {
        let bytes: [UInt8] = [1, 2, 3]
        let pool = try WorkerPool()
        let sum = try await pool.run { slowSum(of: bytes) }
        #expect(sum == 6)
        let group = try EventLoopGroup()
        let listeners = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            _, _ in Summing(pool)
        }
        let answer = try await group.loops[0].withConnection(to: listeners.address) {
            connection -> [UInt8]? in
            try await connection.write(bytes.span.bytes)
            return try await connection.inbound.first { _ in true }.map { Array($0) }
        }
        #expect(answer == [6])
        await group.shutdown()
        await pool.shutdown()
    }

    @Test func `a pipe is read to its end`() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let descriptor = ends[0]
        defer { close(descriptor) }
        #expect(write(ends[1], "word", 4) == 4)
        close(ends[1])
        let poller = try Poller()
        var text: [UInt8] = []
        let watch = try poller.start(descriptor, .read) { watch, _ in
            var piece = [UInt8](repeating: 0, count: 100)
            let count = read(watch.descriptor, &piece, piece.count)
            if count > 0 { text += piece.prefix(count) } else { watch.stop() }
        }
        while poller.count > 0 { try poller.wait(for: .seconds(1)) }
        #expect(text == Array("word".utf8))
        #expect(!watch.stop())
    }
}

private func slowSum(of bytes: [UInt8]) -> UInt8 { bytes.reduce(0, &+) }
