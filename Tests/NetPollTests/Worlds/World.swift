import EchoWorlds
import NetPoll
import NetPollTesting
import Testing

/// A loop on some driver and clients to reach it: what the driver suite needs, whatever the driver.
protocol World: AnyObject {
    var loop: EventLoop { get }
    func connect(to address: SocketAddress) -> (any Client)?
    /// Runs the loop and the clients until `condition` holds; false where it does not within 60 s of
    /// the driver's clock (simulated: 10 s).
    func run(until condition: () -> Bool) -> Bool
}

/// A client that a test drives by hand.
protocol Client: AnyObject {
    var received: [UInt8] { get }
    var isEnded: Bool { get }
    var isReset: Bool { get }
    func send(_ bytes: [UInt8])
    func sendEnd()
    func stall()
    func resume()
    func close()
    func reset()
}

enum DriverKind: String, Codable, CaseIterable, CustomTestStringConvertible {
    case epoll
    case ioUring
    /// The kqueue driver on a simulated kernel queue.
    case kqueue
    case simulated

    /// Those with real sockets.
    static let kernels: [DriverKind] = [.epoll, .ioUring, .kqueue]

    /// One of them, for what does not depend on the driver.
    static let system = DriverKind.epoll

    var testDescription: String { "\(self)" }

    /// - Parameters:
    ///   - index: Which of a group's loops it has; a simulated network counts its own.
    ///   - configuration: Settings of the loop.
    /// - Returns: A world whose loop runs in the calling thread.
    /// - Throws: ``SystemError`` where the driver is not to be had.
    func makeWorld(
        index: Int = 0, configuration: EventLoop.Configuration = .init()
    ) throws -> any World {
        switch self {
        case .epoll:
            SystemWorld(
                driver: try Platform.makeDriver(.epoll), index: index, configuration: configuration)
        case .ioUring:
            SystemWorld(
                driver: try Platform.makeDriver(.ioUring), index: index,
                configuration: configuration)
        case .kqueue:
            SystemWorld(
                driver: KqueueDriver(queue: SimulatedKernelQueue()), index: index,
                configuration: configuration)
        case .simulated: SimulatedWorld(configuration: configuration)
        }
    }
}

final class SimulatedWorld: World {
    let network = SimulatedNetwork(seed: 1)
    let loop: EventLoop

    init(configuration: EventLoop.Configuration) {
        loop = network.makeLoop(configuration: configuration)
    }

    func connect(to address: SocketAddress) -> (any Client)? {
        network.connect(to: address)
    }

    func run(until condition: () -> Bool) -> Bool {
        // Asked again even when nothing is left to simulate: the condition itself may write.
        (0..<1_000).contains { _ in network.run(within: .milliseconds(10), until: condition) }
    }
}

extension SimulatedPeer: Client {}

extension Client {
    var text: String { String(decoding: received, as: UTF8.self) }
}
