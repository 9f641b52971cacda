import AllocationCounter
import LoopbackClient
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("Allocations", .timeLimit(.minutes(10)))
struct AllocationTests {
    /// Sends back what it received.
    private final class Echo: ConnectionHandler, Sendable {
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            connection.write(bytes.bytes)
        }
    }

    /// An echo server turned in the test's thread, and clients that ask one after another.
    private protocol EchoWorld: AnyObject {
        var loop: EventLoop { get }
        func connect(_ count: Int, to address: SocketAddress) throws
        /// Every client sends `message` and waits for its echo, `rounds` times.
        ///
        /// - Returns: How often the loop's turns allocated.
        func echo(_ message: [UInt8], rounds: Int) throws -> UInt64
    }

    /// With sockets of the system.
    private final class SystemEchoWorld: EchoWorld {
        let loop: EventLoop
        var clients: [LoopbackClient] = []
        /// What stands in for a kernel, whose own allocations do not count: the driver above it,
        /// which is all there is of ours, does.
        private var queue: SimulatedKernelQueue?

        init(driver: any Driver, queue: SimulatedKernelQueue? = nil) {
            self.queue = queue
            loop = EventLoop(driver: driver)
            loop.bindToCurrentThread()
        }

        deinit {
            loop.bindToCurrentThread()
            loop.shutDown()
        }

        func connect(_ count: Int, to address: SocketAddress) throws {
            for _ in 0..<count {
                clients.append(try #require(LoopbackClient(port: address.port ?? 0)))
            }
        }

        func echo(_ message: [UInt8], rounds: Int) throws -> UInt64 {
            var used: UInt64 = 0
            for _ in 0..<rounds {
                let expected = clients.map { $0.received + message.count }
                for client in clients { client.send(message) }
                let deadline = loop.now + .seconds(10)
                while zip(clients, expected).contains(where: { $0.received < $1 }) {
                    try #require(loop.now < deadline)
                    let (before, queues) = (allocation_counter_count(), queue?.allocations ?? 0)
                    loop.turn(until: loop.now + .milliseconds(10))
                    used += allocation_counter_count() - before
                    used -= (queue?.allocations ?? 0) - queues
                    for client in clients { client.receive() }
                }
            }
            return used
        }
    }

    /// With a simulated network. What its clients allocate between the turns does not count; all
    /// that a turn does counts, the driver's part and what it puts on the wire included.
    private final class SimulatedEchoWorld: EchoWorld {
        let network = SimulatedNetwork(seed: 1)
        let loop: EventLoop
        private var clients: [SimulatedPeer] = []
        private var used: UInt64 = 0

        init() {
            loop = network.makeLoop()
            network.runTurn = { [unowned self] loop in
                let before = allocation_counter_count()
                loop.turn(until: network.now)
                used += allocation_counter_count() - before
            }
        }

        func connect(_ count: Int, to address: SocketAddress) throws {
            for _ in 0..<count { clients.append(try #require(network.connect(to: address))) }
        }

        func echo(_ message: [UInt8], rounds: Int) throws -> UInt64 {
            used = 0
            for _ in 0..<rounds {
                for client in clients { client.send(message) }
                network.runUntilIdle()
                for client in clients { #expect(client.takeReceived() == message) }
            }
            return used
        }
    }

    private func makeWorld(_ driver: DriverKind) throws -> any EchoWorld {
        switch driver {
        case .epoll: return SystemEchoWorld(driver: try Platform.makeDriver(.epoll))
        case .ioUring: return SystemEchoWorld(driver: try Platform.makeDriver(.ioUring))
        case .kqueue:
            let queue = SimulatedKernelQueue()
            return SystemEchoWorld(driver: KqueueDriver(queue: queue), queue: queue)
        case .simulated: return SimulatedEchoWorld()
        }
    }

    private var anyPort: SocketAddress {
        get throws { try SocketAddress(host: "127.0.0.1", port: 0) }
    }

    @Test(.enabled(if: allocation_counter_is_active()))
    func `the counter moves`() {
        let before = allocation_counter_count()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 16)
        memory.deallocate()
        #expect(allocation_counter_count() == before + 1)
        var list: [Int] = []
        list.reserveCapacity(Int.random(in: 100...200))
        #expect(allocation_counter_count() > before + 1)
        #expect(list.isEmpty)
    }

    @Test(
        .enabled(if: allocation_counter_is_active()), arguments: DriverKind.allCases,
        [64, 16 << 10])
    func `an echo by a handler allocates nothing`(
        driver: DriverKind, messageBytes: Int
    ) throws {
        let world = try makeWorld(driver)
        let address = try world.loop.listen(on: anyPort) { _, _ in Echo() }.address
        try world.connect(20, to: address)
        let message = [UInt8](repeating: 7, count: messageBytes)
        let first = try world.echo(message, rounds: 3)
        #expect(first > 0, "connections were accepted without allocating")
        let used = try world.echo(message, rounds: 50)
        #expect(used == 0)
    }

    @Test(
        .enabled(if: allocation_counter_is_active()), arguments: DriverKind.allCases,
        [64, 16 << 10])
    func `an echo by a task allocates nothing and stays on its thread`(
        driver: DriverKind, messageBytes: Int
    ) throws {
        let world = try makeWorld(driver)
        let listener = try world.loop.listenForTasks(on: anyPort)
        let loop = world.loop
        let strayed = Atomic<Int>(0)
        let server = Task(executorPreference: loop) {
            await listener.serve { connection in
                for try await bytes in connection.inbound {
                    if !loop.isCurrent { strayed.add(1, ordering: .relaxed) }
                    try await connection.write(bytes)
                }
            }
        }
        try world.connect(20, to: listener.address)
        let message = [UInt8](repeating: 7, count: messageBytes)
        _ = try world.echo(message, rounds: 3)
        let used = try world.echo(message, rounds: 50)
        #expect(used == 0)
        #expect(strayed.load(ordering: .relaxed) == 0)
        server.cancel()
    }
}
