import NetPoll
import NetPollTesting
import Testing

@testable import RPC

/// Answers each request with whatever a script says, right or wrong.
private final class HostileServer: ConnectionHandler {
    private var decoder = FrameDecoder()
    private var random: SeededGenerator
    private var last: UInt32 = 0

    init(_ random: SeededGenerator) {
        self.random = random
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        let input = bytes.bytes.withUnsafeBytes { Array($0) }
        guard let frames = try? decoder.frames(in: input) else { return connection.abort() }
        for frame in frames where frame.header.type == .request {
            last = frame.header.stream
            let answer = answer(last)
            connection.write(answer.bytes.span.bytes)
            if answer.closes { return connection.close() }
        }
    }

    func receivedEnd(on connection: Connection) { connection.close() }
    func closed(_ connection: Connection, reason: CloseReason) {}

    private func answer(_ id: UInt32) -> (bytes: [UInt8], closes: Bool) {
        let good = Sample.response(id, [1, 2, 3]).bytes
        let settings = ControlFrame.settings(PeerSettings()).bytes
        switch Int.random(in: 0..<24, using: &random) {
        case 0: return ([], false)
        case 1: return (good + good, false)
        case 2: return (Sample.response(id &+ 100, [1]).bytes + good, false)
        // Garbage, a length that is none, and one that is too long.
        case 3: return ((0..<40).map { _ in .random(in: 0...255, using: &random) }, false)
        case 4: return ([1, 0, 0, 0, 0, 0, 0, 1, 2, 0], false)
        case 5: return ([0, 0x50, 0, 0, 0, 0, 0, 1, 2, 0], false)
        // Cut within a frame.
        case 6: return (Array(good.dropLast()), true)
        case 7:
            let goAway = GoAway(lastAccepted: id &- 2, code: .unavailable)
            return (ControlFrame.goAway(goAway).bytes + good, false)
        case 8: return (Frame(.data, stream: id, [1]).bytes + good, false)
        case 9: return (settings + settings + good, false)
        case 10: return (Sample.request(2).bytes + Sample.request(2).bytes + good, false)
        case 11: return (settings + Frame(.response, stream: id, flags: .more, [0x12]).bytes, false)
        case 12:
            let frame = Frame(.response, stream: id, flags: .compressed, [0, 0, 0, 9, 1, 2])
            return (settings + frame.bytes, false)
        case 13: return (ControlFrame.cancel(stream: id, code: .aborted).bytes + good, false)
        case 14: return (ControlFrame.window(stream: id, credit: .max).bytes, false)
        case 15: return (Frame(.response, stream: id, [0xff, 0xff]).bytes, false)
        case 16: return (Frame(FrameType(rawValue: 0x77), stream: id).bytes, false)
        case 17: return (ControlFrame.ping(1).bytes + good, true)
        default: return (settings + good, false)
        }
    }
}

@Suite("Calls to servers that break the rules, simulated", .timeLimit(.minutes(10)))
struct HostileServerTests {
    @Test(arguments: 0..<100 as Range<UInt64>)
    func `every call ends once, in its time, and all memory comes back`(seed: UInt64) throws {
        let world = try RPCWorld(seed: seed)
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let listening = try world.run { [group = world.group] in
            try await group.listen(on: any) { _, _ in
                HostileServer(SeededGenerator(seed: seed))
            }
        }
        var running: [Running<[UInt8]>] = []
        var connections: [RPCConnection] = []
        for _ in 0..<5 {
            let connection = try world.run { [loop = world.loop] in
                try await RPCConnection.connect(to: listening.address, on: loop)
            }
            connections.append(connection)
            for _ in 0..<10 {
                running.append(
                    world.start {
                        try await connection.call(
                            Echo.echo, [7], options: CallOptions(timeout: .seconds(1)))
                    })
                world.network.run(for: .milliseconds(5))
            }
        }
        world.network.run(for: .seconds(2))
        #expect(running.allSatisfy { $0.isOver }, "seed \(seed)")
        for connection in connections {
            let left = connection.peer.core.outgoing.count
            #expect(left == 0, "seed \(seed)")
            #expect(connection.peer.pending.allSatisfy { $0 == nil }, "seed \(seed)")
            #expect(connection.peer.core.partials.bytes == 0, "seed \(seed)")
            connection.close()
        }
        _ = try world.run { await listening.close() }
        world.network.run(for: .seconds(30))
        // The world's own listener.
        #expect(world.network.openDescriptors == 1, "seed \(seed)")
    }
}
