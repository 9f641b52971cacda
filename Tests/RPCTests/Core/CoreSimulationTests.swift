import NetPollTesting
import Seeds
import Testing

@testable import RPC

/// Two cores with a pipe of bytes each way, and random calls, answers, streams, credits,
/// cancellations, deadlines and draining.
private struct CoreWorld: ~Copyable {
    struct Call {
        let key: CallKey
        let id: UInt32
        let shape: CallShape
        var ends = 0
    }

    struct Served {
        let slot: UInt32
        let shape: CoreEvent.IncomingShape
    }

    var pair: CorePair
    var clientDecoder = FrameDecoder()
    var serverDecoder = FrameDecoder()
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    var random: SeededGenerator
    var now: Int64 = 0
    var calls: [Call] = []
    /// Calls that were ended more than once, or by an answer to another.
    var mistakes: [String] = []
    /// What the server runs.
    var running: [Served] = []

    init(seed: UInt64, negotiates: Bool) {
        var limits = CoreLimits()
        limits.outgoingMax = 6
        limits.waitingMax = 4
        limits.negotiates = negotiates
        limits.settings.streamCredit = 300
        limits.settings.connectionCredit = 1_000
        pair = CorePair(limits, limits)
        random = SeededGenerator(seed: seed)
    }

    private var openCalls: [Int] { calls.indices.filter { calls[$0].ends == 0 } }

    mutating func end(slot: UInt32, _ how: String) {
        guard
            let index = calls.lastIndex(where: { $0.key.slot == slot && $0.ends == 0 })
        else { return mistakes.append("\(how) of slot \(slot), which has no open call") }
        calls[index].ends += 1
    }

    mutating func step() throws {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: open()
        case 2, 3: try deliver(all: false)
        case 4, 5: answer()
        case 6: cancel()
        case 7: now += Int64.random(in: 0...20, using: &random)
        case 8: expire()
        case 9: write()
        case 10: closeWrite()
        default: sendWaiting()
        }
        flush()
    }

    mutating func open() {
        let shape =
            [CallShape.unary, .unary, .serverStreaming, .clientStreaming, .bidirectional]
            .randomElement(using: &random) ?? .unary
        let deadline =
            Bool.random(using: &random) ? now + .random(in: 1...200, using: &random) : .max
        switch pair.client.opened(shape, deadline: deadline) {
        case .send(let key): send(key, shape)
        case .wait(let key): calls.append(Call(key: key, id: 0, shape: shape))
        case .refuse: break
        }
    }

    private mutating func send(_ key: CallKey, _ shape: CallShape) {
        let announces = pair.client.announces
        let entryDeadline = pair.client.outgoing.entry(key.slot).pointee.deadline
        let (id, flags) = pair.client.begin(key.slot, shape: shape)
        if let index = calls.lastIndex(where: { $0.key == key && $0.ends == 0 }) {
            calls.remove(at: index)
        }
        calls.append(Call(key: key, id: id, shape: shape))
        let timeout = entryDeadline == .max ? 0 : max(1, entryDeadline - now)
        toServer += Sample.request(id, flags: flags, timeout: timeout, announces: announces).bytes
    }

    mutating func sendWaiting() {
        while let slot = pair.client.nextSendable() {
            let key = pair.client.outgoing.key(slot)
            let shape = calls.last { $0.key == key && $0.ends == 0 }?.shape ?? .unary
            send(key, shape)
        }
    }

    mutating func flush() {
        for frame in pair.client.takeControl() { toServer += frame.bytes }
        for frame in pair.server.takeControl() { toClient += frame.bytes }
    }

    mutating func answer() {
        guard let index = running.indices.randomElement(using: &random) else { return }
        let served = running.remove(at: index)
        if let id = pair.server.answered(served.slot) {
            let fails = Bool.random(using: &random)
            toClient += Sample.response(id, status: fails ? RPCError(.aborted) : nil, [1, 2]).bytes
        }
    }

    mutating func cancel() {
        guard let index = openCalls.randomElement(using: &random) else { return }
        if pair.client.gaveUp(calls[index].key) != nil { calls[index].ends += 1 }
    }

    mutating func expire() {
        for call in pair.client.takeExpired(now) where call.side == .outgoing {
            end(slot: call.slot, "deadline")
        }
        _ = pair.server.takeExpired(now)
    }

    mutating func write() {
        let bytes = [UInt8](repeating: 7, count: .random(in: 0...400, using: &random))
        if Bool.random(using: &random), let index = openCalls.randomElement(using: &random) {
            let key = calls[index].key
            if case .send(let id) = pair.client.mayWrite(.outgoing, key, messageBytes: bytes.count)
            {
                toServer += Frame(.data, stream: id, bytes).bytes
            }
        } else if let served = running.randomElement(using: &random), served.shape != .unary {
            let key = pair.server.incoming.key(served.slot)
            if case .send(let id) = pair.server.mayWrite(.incoming, key, messageBytes: bytes.count)
            {
                toClient += Frame(.data, stream: id, bytes).bytes
            }
        }
    }

    mutating func closeWrite() {
        guard let index = openCalls.randomElement(using: &random), calls[index].id != 0 else {
            return
        }
        let key = calls[index].key
        if let id = pair.client.closedWrite(.outgoing, key) {
            toServer += Frame(.data, stream: id, flags: [.remoteClosed, .noData]).bytes
            if pair.client.outgoing.slot(key) == nil { calls[index].ends += 1 }
        }
    }

    mutating func deliver(all: Bool) throws {
        var count =
            all ? toServer.count : Int.random(in: 0...min(200, toServer.count), using: &random)
        let upward = Array(toServer.prefix(count))
        toServer.removeFirst(count)
        count = all ? toClient.count : Int.random(in: 0...min(200, toClient.count), using: &random)
        let downward = Array(toClient.prefix(count))
        toClient.removeFirst(count)
        for frame in try serverDecoder.frames(in: upward) { try serverTakes(frame) }
        for frame in try clientDecoder.frames(in: downward) { try clientTakes(frame) }
    }

    private mutating func serverTakes(_ frame: Frame) throws {
        switch try pair.server.take(frame, at: now) {
        case .call(let slot, _, let shape): running.append(Served(slot: slot, shape: shape))
        case .data(.incoming, let slot, true, _, _):
            let key = pair.server.incoming.key(slot)
            pair.server.consumed(.incoming, key, messageBytes: frame.data.count)
        case .none, .reply, .broken, .data, .cancelled, .credit, .negotiated, .goAway: break
        }
    }

    private mutating func clientTakes(_ frame: Frame) throws {
        switch try pair.client.take(frame, at: now) {
        case .reply(let slot, _): end(slot: slot, "reply")
        case .broken(let slot): end(slot: slot, "break")
        case .data(.outgoing, let slot, let hasMessage, _, let isOver):
            if isOver {
                end(slot: slot, "end")
                let gone = CallKey(slot: slot, generation: .max)
                if hasMessage {
                    pair.client.consumed(.outgoing, gone, messageBytes: frame.data.count)
                }
            } else if hasMessage {
                let key = pair.client.outgoing.key(slot)
                pair.client.consumed(.outgoing, key, messageBytes: frame.data.count)
            }
        case .goAway:
            var cursor: UInt32 = 0
            while let slot = pair.client.nextNotAccepted(&cursor) { end(slot: slot, "goaway") }
        case .none, .call, .data, .cancelled, .credit, .negotiated: break
        }
    }

    /// Lets everything that is under way end.
    mutating func settle() throws {
        pair.server.drain()
        for _ in 0..<100 {
            flush()
            try deliver(all: true)
            while !running.isEmpty { answer() }
            sendWaiting()
            expire()
        }
    }
}

@Suite("ConnectionCore, two of them")
struct CoreSimulationTests {
    @Test(arguments: seeds(300))
    func `no call hangs, none ends twice, and nothing is left`(seed: UInt64) throws {
        var world = CoreWorld(seed: seed, negotiates: seed % 4 != 0)
        for _ in 0..<600 { try world.step() }
        try world.settle()
        // A plain server says nothing when it drains: what its client still wants it gives up.
        let isOpen = { (calls: [CoreWorld.Call]) in calls.filter { $0.ends != 1 }.count }
        let left = isOpen(world.calls)
        #expect(left == 0, "seed \(seed)")
        #expect(world.mistakes.isEmpty, "seed \(seed)")
        let (outgoing, incoming) = (
            world.pair.client.outgoing.count, world.pair.server.incoming.count
        )
        #expect(outgoing == 0, "seed \(seed)")
        #expect(incoming == 0, "seed \(seed)")
        let capacity = world.pair.client.outgoing.capacity
        #expect(capacity <= 16, "seed \(seed)")
    }
}
