internal import AllocationCounter
internal import LoopbackClient
package import NetPoll
internal import NetPollTesting

/// An echo server turned in the caller's thread, and clients that ask one after another.
package protocol EchoWorld: AnyObject {
    var loop: EventLoop { get }

    /// - Throws: ``EchoFailure/refused``.
    func connect(_ count: Int, to address: SocketAddress) throws

    /// Every client sends `message` and waits for its echo, `rounds` times.
    ///
    /// - Returns: How often the loop's turns allocated.
    /// - Throws: ``EchoFailure/silent``.
    func echo(_ message: [UInt8], rounds: Int) throws -> UInt64
}

/// Something did not come.
package enum EchoFailure: Error {
    /// A client was not let in.
    case refused
    /// An echo did not come, or was another.
    case silent
}

/// What carries an echo.
package enum EchoDriver: String, CaseIterable, Sendable {
    case epoll
    case ioUring
    /// The kqueue driver on a simulated kernel queue.
    case kqueue
    case simulated

    /// - Throws: ``SystemError`` where the driver is not to be had.
    package func makeWorld() throws -> any EchoWorld {
        switch self {
        case .epoll: return SystemEchoWorld(driver: try Platform.makeDriver(.epoll))
        case .ioUring: return SystemEchoWorld(driver: try Platform.makeDriver(.ioUring))
        case .kqueue:
            let queue = SimulatedKernelQueue()
            return SystemEchoWorld(driver: KqueueDriver(queue: queue), queue: queue)
        case .simulated: return SimulatedEchoWorld()
        }
    }
}

/// With sockets of the system.
private final class SystemEchoWorld: EchoWorld {
    let loop: EventLoop
    private var clients: [LoopbackClient] = []
    /// What stands in for a kernel, whose own allocations do not count: the driver above it, which is
    /// all there is of ours, does.
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
            guard let client = LoopbackClient(port: address.port ?? 0) else {
                throw EchoFailure.refused
            }
            clients.append(client)
        }
    }

    func echo(_ message: [UInt8], rounds: Int) throws -> UInt64 {
        var used: UInt64 = 0
        for _ in 0..<rounds {
            let expected = clients.map { $0.received + message.count }
            for client in clients { client.send(message) }
            let deadline = loop.now + .seconds(10)
            while zip(clients, expected).contains(where: { $0.received < $1 }) {
                guard loop.now < deadline else { throw EchoFailure.silent }
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

/// With a simulated network. What its clients allocate between the turns does not count; all that a
/// turn does counts, the driver's part and what it puts on the wire included.
private final class SimulatedEchoWorld: EchoWorld {
    private let network = SimulatedNetwork(seed: 1)
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
        for _ in 0..<count {
            guard let client = network.connect(to: address) else { throw EchoFailure.refused }
            clients.append(client)
        }
    }

    func echo(_ message: [UInt8], rounds: Int) throws -> UInt64 {
        used = 0
        for _ in 0..<rounds {
            for client in clients { client.send(message) }
            network.runUntilIdle()
            for client in clients where client.takeReceived() != message {
                throw EchoFailure.silent
            }
        }
        return used
    }
}
