import NetPoll
import NetPollTesting

/// Many lifetimes of connections on one simulated network whose faults come from a seed: accepted
/// and dialled ones, served by handlers and by tasks, that are cut, delayed, reset, lost, partitioned,
/// stalled, paused, half closed, aborted and timed out. In the end nothing may be left of them.
public final class LifetimeWorld {
    private let tally = Tally()
    private var network: SimulatedNetwork
    private var random: SeededGenerator
    private let server: EventLoop
    private let dialler: EventLoop
    private let handled: Listener
    private let tasked: AsyncListener
    private var peers: [(peer: SimulatedPeer, message: [UInt8], checked: Int)] = []
    private var dialled: [DialledHandler] = []
    private var tasks: [Task<Void, Never>] = []
    private let serving: Task<Void, Never>

    /// What a world came to.
    public struct Outcome: Sendable {
        /// What was found wrong; empty where all is well.
        public var findings: [String]
        /// How often connections ended for which reason.
        public let reasons: [String: Int]
    }

    /// Runs a world of `count` lifetimes.
    public static func run(seed: UInt64, lifetimes count: Int) throws -> Outcome {
        weak var server: EventLoop?
        weak var dialler: EventLoop?
        var outcome: Outcome
        do {
            let world = try LifetimeWorld(seed: seed)
            server = world.server
            dialler = world.dialler
            world.live(count)
            outcome = Outcome(findings: world.end(), reasons: world.tally.reasons)
        }
        if server != nil || dialler != nil {
            outcome.findings.append("a loop outlived its network")
        }
        return outcome
    }

    private init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        network = SimulatedNetwork(seed: seed)
        server = network.makeLoop()
        dialler = network.makeLoop()
        var configuration = Listener.Configuration()
        configuration.limits.highWatermark = 4_000
        configuration.limits.lowWatermark = 1_000
        configuration.limits.sendQueueBytesMax = 40_000
        configuration.limits.inboundBytesMax = 4_000
        configuration.limits.closeTimeout = .seconds(2)
        configuration.limits.firstByteTimeout = .seconds(3)
        configuration.limits.inputTimeout = .seconds(2)
        configuration.limits.idleTimeout = .seconds(6)
        configuration.limits.writeStallTimeout = .seconds(4)
        if seed % 3 == 1 { configuration.limits.overflow = .refuse }
        if seed % 4 == 1 { configuration.exhaustion = .pause(.milliseconds(20)) }
        let tally = tally
        handled = try server.listen(
            on: SocketAddress(host: "10.0.0.1", port: 1), configuration: configuration
        ) { _, _ in ServedHandler(tally) }
        let listener = try server.listenForTasks(
            on: SocketAddress(host: "10.0.0.1", port: 2), configuration: configuration)
        tasked = listener
        serving = Task(executorPreference: server) {
            await listener.serve { connection in
                tally.tasksBegun += 1
                defer { tally.tasksEnded += 1 }
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            }
        }
        network.faults = Self.storm(&random)
        if random.next() % 3 == 0 {
            network.descriptorsMax = Int.random(in: 8...40, using: &random)
        }
    }

    private static func storm(_ random: inout SeededGenerator) -> Faults {
        var faults = Faults.cuts
        func often(_ most: Double) -> Double { Double.random(in: 0...most, using: &random) }
        faults.shortReads = often(0.5)
        faults.shortWrites = often(0.5)
        faults.refusedSends = often(0.3)
        faults.resets = often(0.05)
        faults.failedAccepts = often(0.1)
        faults.exhaustedDescriptors = often(0.1)
        faults.lostConnections = often(0.02)
        faults.partitions = often(0.02)
        faults.clockJumps = often(0.02)
        faults.delayMin = .milliseconds(Int64.random(in: 0...5, using: &random))
        if random.next() % 4 == 0 {
            faults.bytesPerSecond = Int.random(in: 10_000...1_000_000, using: &random)
        }
        return faults
    }

    // MARK: - Living

    private func live(_ count: Int) {
        var begun = 0
        while begun < count {
            for _ in 0..<min(count - begun, Int.random(in: 1...12, using: &random)) {
                begin()
                begun += 1
            }
            for _ in 0..<4 { disturb() }
            network.run(for: .milliseconds(Int64.random(in: 0...150, using: &random)))
            check()
        }
    }

    private func message() -> [UInt8] {
        let wish = Wish.allCases.randomElement(using: &random) ?? .echo
        let count = Int.random(in: 0...1, using: &random) == 0 ? 100 : 12_000
        let start = UInt8.random(in: 0...255, using: &random)
        let length = Int.random(in: 0...count, using: &random)
        return [wish.rawValue] + (0..<length).map { start &+ UInt8(truncatingIfNeeded: $0 &* 7) }
    }

    private func begin() {
        let bytes = message()
        let isTasked = random.next() % 3 == 0
        let address = isTasked ? tasked.address : handled.address
        let last = UInt32.random(in: 3...9, using: &random)
        let host = SocketAddress.v4(0x0000_000a | last << 24, port: 0)
        switch random.next() % 8 {
        case 0: dialByTask(to: address, bytes)
        case 1, 2: dial(to: address, bytes)
        default:
            // A full backlog or a partition: also a lifetime, a short one.
            guard let peer = network.connect(to: address, from: host, windowBytes: 3_000) else {
                return
            }
            peer.send(bytes)
            peers.append((peer, bytes, 0))
        }
    }

    private static var dialling: ConnectConfiguration {
        var configuration = ConnectConfiguration()
        configuration.localAddress = .v4(0x0200_000a, port: 0)
        configuration.timeout = .seconds(2)
        configuration.limits.closeTimeout = .seconds(1)
        configuration.limits.idleTimeout = .seconds(5)
        return configuration
    }

    private func dial(to address: SocketAddress, _ bytes: [UInt8]) {
        let tally = tally
        tally.attemptsOpen += 1
        let attempt = dialler.connect(to: address, configuration: Self.dialling) { [weak self] in
            tally.attemptsOpen -= 1
            guard case .success(let connection) = $0 else { return }
            let handler = DialledHandler(tally, message: bytes)
            connection.handler = handler
            self?.dialled.append(handler)
        }
        if random.next() % 10 == 0 { attempt.cancel() }
    }

    private func dialByTask(to address: SocketAddress, _ bytes: [UInt8]) {
        let (tally, dialler, configuration) = (tally, dialler, Self.dialling)
        tally.tasksBegun += 1
        let task = Task(executorPreference: dialler) { [configuration] in
            defer { tally.tasksEnded += 1 }
            // Every way it may end is one that faults may lead to.
            try? await dialler.withConnection(to: address, configuration: configuration) {
                try await $0.write(bytes.span.bytes)
                $0.closeWrite()
                for try await _ in $0.inbound {}
            }
        }
        tasks.append(task)
    }

    private func disturb() {
        let index = peers.indices.randomElement(using: &random)
        switch (random.next() % 16, index) {
        case (0, let index?): peers[index].peer.close()
        case (1, let index?): peers[index].peer.reset()
        case (2, let index?): peers[index].peer.sendEnd()
        case (3, let index?): peers[index].peer.stall()
        case (4, let index?): peers[index].peer.resume()
        case (5, let index?): peers[index].peer.vanish()
        case (6, _): dialled.randomElement(using: &random)?.connection?.abort()
        case (7, _): dialled.randomElement(using: &random)?.connection?.close()
        case (8, _): tasks.randomElement(using: &random)?.cancel()
        case (9, _): network.jumpClock(by: .milliseconds(Int64.random(in: 0...900, using: &random)))
        case (10, _) where random.next() % 8 == 0: network.isolate(.v4(0x0200_000a, port: 0))
        case (11, _): network.heal()
        case (12, let index?): peers.swapAt(index, peers.count - 1)
        default: break
        }
    }

    /// Whatever comes back from an echo is what was sent, from its beginning.
    private func check() {
        for index in peers.indices {
            let (peer, message, checked) = peers[index]
            guard message.first.flatMap(Wish.init(rawValue:))?.isEcho == true else { continue }
            let count = peer.received.count
            guard count > checked else { continue }
            tally.expect(
                count <= message.count
                    && peer.received[checked..<count] == message[checked..<count],
                "\(count) bytes received that are not those sent, after \(checked)")
            peers[index].checked = count
        }
        peers.removeAll { $0.peer.isReset || ($0.peer.isEnded && $0.checked == $0.message.count) }
        dialled.removeAll { $0.connection == nil }
        if tasks.count > 200 { tasks.removeFirst(100) }
    }

    // MARK: - The end

    private func end() -> [String] {
        // First in peace: what faults left behind ends by its deadlines.
        network.faults = Faults()
        network.descriptorsMax = nil
        network.heal()
        for (peer, _, _) in peers { peer.close() }
        peers = []
        network.run(for: .seconds(60))
        var found: [String] = []
        func expect(_ left: Int, _ expected: Int, _ what: String) {
            if left != expected { found.append("\(what): \(left) instead of \(expected)") }
        }
        dialled = []
        expect(network.openDescriptors, 2, "descriptors beside the listeners")
        expect(server.registrations, 2, "tokens of the server")
        expect(dialler.registrations, 0, "tokens of the dialler")
        expect(tally.connectionsOpen, 0, "connections not told of their end")
        expect(tally.handlersAlive, 0, "handlers alive")
        expect(tally.attemptsOpen, 0, "attempts without an outcome")
        expect(tally.tasksBegun - tally.tasksEnded, 0, "tasks under way")
        for loop in [server, dialler] {
            if loop.nextTimer != nil { found.append("a timer is left on loop \(loop.index)") }
            if loop.hasWork { found.append("work is left on loop \(loop.index)") }
            expect(loop.gatheredBytes, 0, "gathered bytes on loop \(loop.index)")
            expect(loop.buffersLent, 0, "inbound buffers lent on loop \(loop.index)")
            expect(
                loop.metrics.accepted + loop.metrics.connected, loop.metrics.closed,
                "connections accepted and made on loop \(loop.index)")
        }
        handled.close()
        tasked.close()
        network.runUntilIdle()
        expect(network.openDescriptors, 0, "descriptors")
        expect(server.registrations, 0, "tokens")
        return found + tally.violations.prefix(10)
    }
}
