import NetPoll
import NetPollTesting
import Testing

@testable import RPC

/// A client that says what its seed makes it say: right, wrong, or no frames at all.
struct HostileClient {
    /// What it calls.
    let methods: [(service: String, name: String, flags: FrameFlags)]
    private let peer: SimulatedPeer
    private var random: SeededGenerator
    private var nextID: UInt32 = 1

    init(
        _ peer: SimulatedPeer, calling methods: [(String, String, FrameFlags)], seed: UInt64
    ) {
        self.peer = peer
        self.methods = methods
        random = SeededGenerator(seed: seed)
    }

    var isEnded: Bool { peer.isEnded || peer.isReset }

    private mutating func draw(_ range: ClosedRange<Int>) -> Int {
        .random(in: range, using: &random)
    }

    /// Says one thing, or leaves in some way; whether it is still there.
    mutating func step() -> Bool {
        switch draw(0...99) {
        case 0: peer.reset()
        case 1: peer.close()
        // Half-open: the server is told nothing.
        case 2: peer.vanish()
        case 3: peer.sendEnd()
        case 4:
            peer.stall()
            return true
        case 5...9:
            peer.resume()
            return true
        default:
            peer.send(frames())
            return true
        }
        return false
    }

    /// Leaves, whatever it has begun.
    func leave() { peer.reset() }

    private mutating func frames() -> [UInt8] {
        var bytes = frame()
        switch draw(0...19) {
        // Garbage.
        case 0: bytes = (0..<draw(1...60)).map { _ in .random(in: 0...255, using: &random) }
        // A few bytes, of the header or the data, are others.
        case 1...3:
            for _ in 0..<draw(1...3) {
                let place = draw(0...bytes.count - 1)
                bytes[place] = .random(in: 0...255, using: &random)
            }
        // The length lies.
        case 4, 5:
            for place in draw(0...3)...3 { bytes[place] = .random(in: 0...255, using: &random) }
        // Cut short, or said twice.
        case 6: bytes = Array(bytes.prefix(draw(0...bytes.count - 1)))
        case 7: bytes += bytes
        default: break
        }
        return bytes
    }

    /// An id that was used, is used, or is nobody's.
    private mutating func anyID() -> UInt32 {
        switch draw(0...9) {
        case 0: 0
        case 1: UInt32(draw(0...40)) * 2
        case 2: .random(in: 0 ... .max, using: &random)
        default: UInt32(draw(0...Int(nextID / 2))) * 2 + 1
        }
    }

    private mutating func payload() -> [UInt8] {
        let most = draw(0...3) == 0 ? 20_000 : 20
        return [UInt8](repeating: UInt8(draw(0...255)), count: draw(0...most))
    }

    private mutating func frame() -> [UInt8] {
        switch draw(0...15) {
        case 0...5: return request()
        case 6...9:
            let flags = [[], [], [], .closing, .remoteClosed, .more, .compressed] as [FrameFlags]
            return Frame(
                .data, stream: anyID(), flags: flags[draw(0...flags.count - 1)], payload()
            ).bytes
        case 10: return ControlFrame.cancel(stream: anyID(), code: .cancelled).bytes
        case 11:
            let credit = draw(0...9) == 0 ? UInt32.max : UInt32(draw(0...100_000))
            return ControlFrame.window(stream: anyID(), credit: credit).bytes
        case 12: return ControlFrame.settings(settings()).bytes
        case 13: return ControlFrame.ping(7).bytes
        case 14:
            let last = GoAway(lastAccepted: anyID(), code: .unavailable, text: "hm")
            return draw(0...9) == 0 ? ControlFrame.goAway(last).bytes : request()
        default:
            let type = FrameType(rawValue: .random(in: 0...255, using: &random))
            let flags = FrameFlags(rawValue: .random(in: 0...255, using: &random))
            return Frame(type, stream: anyID(), flags: flags, payload()).bytes
        }
    }

    private mutating func request() -> [UInt8] {
        let method = methods[draw(0...methods.count - 1)]
        var flags = draw(0...9) == 0 ? FrameFlags(rawValue: UInt8(draw(0...127))) : method.flags
        if draw(0...9) == 0 { flags.insert(.oneWay) }
        if draw(0...9) == 0 { flags.insert(.more) }
        let id = draw(0...9) == 0 ? anyID() : nextID
        if id == nextID { nextID += 2 }
        let timeouts: [Int64] = [0, 0, -1, 1, 50_000_000, .max]
        return Sample.request(
            id, flags: flags, service: method.service, method: method.name,
            timeout: timeouts[draw(0...timeouts.count - 1)],
            metadata: draw(0...3) == 0 ? ["key": "value"] : [:], announces: draw(0...3) == 0,
            payload()
        ).bytes
    }

    private mutating func settings() -> PeerSettings {
        var settings = PeerSettings()
        let values: [UInt32] = [0, 1, 300, 100_000, .max]
        settings.streamCredit = values[draw(0...4)]
        settings.connectionCredit = values[draw(0...4)]
        settings.messageBytesMax = values[draw(0...4)]
        settings.callsMax = values[draw(0...4)]
        settings.partialsMax = values[draw(0...4)]
        settings.compressors = values[draw(0...1)]
        return settings
    }
}
