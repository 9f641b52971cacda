import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("AsyncConnection, simulated", .timeLimit(.minutes(10)))
struct AsyncConnectionTests {
    /// A simulated network with one loop whose connections are served by tasks.
    private final class TaskWorld {
        let network: SimulatedNetwork
        let loop: EventLoop
        let listener: AsyncListener
        let server: Task<Void, Never>

        init(
            seed: UInt64 = 0, faults: Faults = Faults(), limits: Connection.Limits = .init(),
            _ body: @escaping @Sendable (AsyncConnection) async throws -> Void
        ) throws {
            network = SimulatedNetwork(seed: seed, faults: faults)
            let loop = network.makeLoop()
            self.loop = loop
            var configuration = Listener.Configuration()
            configuration.limits = limits
            let listener = try loop.listenForTasks(
                on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration)
            self.listener = listener
            let ended = Ended()
            server = Task(executorPreference: loop) {
                await listener.serve(body)
                ended.flag.store(true, ordering: .relaxed)
            }
            self.ended = ended
            network.runUntilIdle()
        }

        private final class Ended: Sendable {
            let flag = Atomic<Bool>(false)
        }

        private let ended: Ended

        var serverEnded: Bool { ended.flag.load(ordering: .relaxed) }

        func connect(windowBytes: Int = 64 << 10) throws -> SimulatedPeer {
            try #require(network.connect(to: listener.address, windowBytes: windowBytes))
        }
    }

    @Sendable private static func echo(_ connection: AsyncConnection) async throws {
        for try await bytes in connection.inbound { try await connection.write(bytes) }
    }

    @Test func `an echo by a task ends when the peer ends`() throws {
        let world = try TaskWorld(Self.echo)
        let peer = try world.connect()
        peer.send(Array("one ".utf8))
        world.network.runUntilIdle()
        peer.send(Array("two".utf8))
        world.network.runUntilIdle()
        #expect(String(decoding: peer.received, as: UTF8.self) == "one two")
        #expect(!peer.isEnded)
        peer.sendEnd()
        world.network.runUntilIdle()
        #expect(peer.isEnded && !peer.isReset)
        #expect(world.network.openDescriptors == 1)
        #expect(!world.serverEnded)
        world.listener.close()
        world.network.runUntilIdle()
        #expect(world.serverEnded)
    }

    @Test func `a listener that nobody holds closes itself and aborts who was not taken`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        var listener: AsyncListener? = try loop.listenForTasks(
            on: SocketAddress(host: "127.0.0.1", port: 0))
        let address = try #require(listener?.address)
        let peers = (0..<5).compactMap { _ in network.connect(to: address) }
        network.runUntilIdle()
        #expect(loop.registrations == 6)
        let late = try #require(network.connect(to: address))
        listener = nil
        network.runUntilIdle()
        #expect(peers.allSatisfy { $0.isReset })
        #expect(late.isReset || late.isEnded)
        #expect(network.connect(to: address) == nil)
        #expect(loop.registrations == 0)
        #expect(network.openDescriptors == 0)
    }

    @Test func `what a resumed task writes leaves in the turn that resumed it`() throws {
        let world = try TaskWorld(Self.echo)
        let peer = try world.connect()
        world.network.runUntilIdle()
        let (turns, sends) = (world.loop.metrics.turns, world.loop.metrics.sends)
        peer.send([1])
        world.network.runUntilIdle()
        #expect(peer.received == [1])
        #expect(world.loop.metrics.sends - sends == 1)
        // One turn for the message; the answer leaves nothing to do.
        #expect(world.loop.metrics.turns - turns == 1)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `nothing is lost or reordered whatever the network does`(seed: UInt64) throws {
        var limits = Connection.Limits()
        limits.inboundBytesMax = 1_000
        limits.highWatermark = 3_000
        limits.lowWatermark = 1_000
        limits.sendQueueBytesMax = 8_000
        let world = try TaskWorld(seed: seed, faults: .cuts, limits: limits, Self.echo)
        var generator = SeededGenerator(seed: seed)
        var peers: [(peer: SimulatedPeer, sent: [UInt8])] = []
        for _ in 0..<4 {
            let sent = (0..<Int.random(in: 1...40_000, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let peer = try world.connect(windowBytes: 4_000)
            peer.send(sent)
            peer.sendEnd()
            peers.append((peer, sent))
        }
        let isDone = world.network.run(within: .seconds(600)) {
            peers.allSatisfy { $0.peer.isEnded || $0.peer.isReset }
        }
        #expect(isDone, "seed \(seed)")
        #expect(peers.allSatisfy { $0.peer.received == $0.sent }, "seed \(seed)")
        world.network.runUntilIdle()
        #expect(world.network.openDescriptors == 1, "seed \(seed)")
    }

    @Test func `a peer that sends faster than the task reads is stopped by its window`() throws {
        let gate = Gate()
        let total = Atomic<Int>(0)
        let world = try TaskWorld { connection in
            await gate.pass()
            for try await bytes in connection.inbound {
                total.add(bytes.count, ordering: .relaxed)
            }
        }
        let peer = try world.connect(windowBytes: 16 << 10)
        peer.send([UInt8](repeating: 1, count: 1 << 20))
        world.network.runUntilIdle()
        // 64 KiB wait for the task and one window for the loop; the peer keeps the rest.
        #expect(world.loop.metrics.receives <= 8)
        gate.open()
        world.network.runUntilIdle()
        #expect(total.load(ordering: .relaxed) == 1 << 20)
    }

    @Test func `a write waits while the peer does not read`() throws {
        let written = Atomic<Int>(0)
        let world = try TaskWorld { connection in
            let piece = [UInt8](repeating: 7, count: 10_000)
            for _ in 0..<100 {
                try await connection.write(piece.span.bytes)
                written.add(1, ordering: .relaxed)
            }
        }
        let peer = try world.connect(windowBytes: 16 << 10)
        peer.stall()
        world.network.runUntilIdle()
        // The window, the high watermark of 64 KiB, and the piece that rose above it.
        #expect(written.load(ordering: .relaxed) < 10)
        peer.resume()
        world.network.runUntilIdle()
        #expect(written.load(ordering: .relaxed) == 100)
        #expect(peer.received.count == 1_000_000)
        #expect(!peer.isReset)
    }

    @Test func `one write may be longer than the queue`() throws {
        let world = try TaskWorld { connection in
            let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try await connection.write(bytes.span.bytes)
        }
        let peer = try world.connect()
        world.network.runUntilIdle()
        #expect(peer.received.count == 5_000_000)
        let isIntact = peer.received.indices.allSatisfy {
            peer.received[$0] == UInt8(truncatingIfNeeded: $0 &* 31)
        }
        #expect(isIntact)
    }

    @Test func `writes of several tasks never mix`() throws {
        let world = try TaskWorld { connection in
            await withTaskGroup { tasks in
                for letter in UInt8(ascii: "a")...UInt8(ascii: "f") {
                    tasks.addTask(executorPreference: connection.loop) {
                        let bytes = [UInt8](repeating: letter, count: 200_000)
                        try? await connection.write(bytes.span.bytes)  // Checked by what arrives.
                    }
                }
            }
        }
        let peer = try world.connect(windowBytes: 10_000)
        world.network.runUntilIdle()
        #expect(peer.received.count == 6 * 200_000)
        let changes = zip(peer.received, peer.received.dropFirst()).count { $0 != $1 }
        #expect(changes == 5)
    }

    @Test func `what one task throws aborts its connection and no other`() throws {
        struct Fault: Error {}
        let world = try TaskWorld { connection in
            for try await bytes in connection.inbound {
                if bytes.first == 0 { throw Fault() }
                try await connection.write(bytes)
            }
        }
        let (bad, good) = (try world.connect(), try world.connect())
        bad.send([0])
        good.send([1])
        world.network.runUntilIdle()
        #expect(bad.isReset)
        #expect(good.received == [1] && !good.isReset)
        #expect(!world.serverEnded)
    }

    @Test func `cancelling the server aborts its connections and ends it`() throws {
        let seen = Mutex<[ConnectionError?]>([])
        let world = try TaskWorld { connection in
            do throws(ConnectionError) {
                for try await _ in connection.inbound {}
                seen.withLock { $0.append(nil) }
            } catch {
                seen.withLock { $0.append(error) }
                throw error
            }
        }
        let peers = [try world.connect(), try world.connect()]
        world.network.runUntilIdle()
        world.server.cancel()
        world.network.runUntilIdle()
        #expect(peers.allSatisfy { $0.isReset })
        #expect(seen.withLock { $0 } == [.cancelled, .cancelled])
        #expect(world.serverEnded)
        #expect(world.network.openDescriptors == 0)
    }

    @Test func `a reset is thrown, with its reason`() throws {
        let seen = Mutex<ConnectionError?>(nil)
        let world = try TaskWorld { connection in
            do throws(ConnectionError) {
                for try await _ in connection.inbound {}
            } catch {
                seen.withLock { $0 = error }
            }
        }
        let peer = try world.connect()
        world.network.runUntilIdle()
        peer.reset()
        world.network.runUntilIdle()
        #expect(seen.withLock { $0 } == .closed(.reset))
    }

    @Test func `shutting the loop down ends tasks and server`() throws {
        let world = try TaskWorld(Self.echo)
        _ = try world.connect()
        world.network.runUntilIdle()
        world.loop.shutDown()
        #expect(world.serverEnded)
        #expect(world.network.openDescriptors == 0)
    }

    @Test func `a listener accepts no more while a thousand connections wait to be taken`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        var configuration = Listener.Configuration()
        configuration.backlog = 2_000
        let listener = try loop.listenForTasks(
            on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration)
        for _ in 0..<1_500 { #expect(network.connect(to: listener.address) != nil) }
        network.runUntilIdle()
        #expect((1_024..<1_100).contains(loop.metrics.accepted))
        let server = Task(executorPreference: loop) { await listener.serve(Self.echo) }
        network.runUntilIdle()
        #expect(loop.metrics.accepted == 1_500)
        server.cancel()
        network.runUntilIdle()
        #expect(network.openDescriptors == 0)
    }

    @Test func `a task connects, talks and closes`() throws {
        let world = try TaskWorld(Self.echo)
        let loop = world.network.makeLoop()
        let answer = Mutex<[UInt8]>([])
        let address = world.listener.address
        Task(executorPreference: loop) {
            try await loop.withConnection(to: address) { connection in
                try await connection.write("hello")
                connection.closeWrite()
                for try await bytes in connection.inbound {
                    answer.withLock { $0.append(contentsOf: bytes) }
                }
            }
        }
        world.network.runUntilIdle()
        #expect(answer.withLock { String(decoding: $0, as: UTF8.self) } == "hello")
        #expect(world.network.openDescriptors == 1)
    }

    @Test func `connecting where nothing listens throws`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let address = try SocketAddress(host: "127.0.0.1", port: 9)
        let seen = Mutex<ConnectError?>(nil)
        Task(executorPreference: loop) {
            do throws(ConnectError) {
                _ = try await Connection.connect(to: address, on: loop)
            } catch {
                seen.withLock { $0 = error }
            }
        }
        network.runUntilIdle()
        #expect(seen.withLock { $0?.reason } == .refused)
    }
}

/// Lets tasks through once it is open.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func pass() async {
        await withCheckedContinuation { waiter in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(waiter) }
                return state.isOpen
            }
            if isOpen { waiter.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
