import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Limits of a server, on the wire")
struct LimitTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let limits: ProtocolLimits
        /// What the limit allows just so, and the least that it does not.
        let (most, beyond): ([UInt8], [UInt8])
        let code: Int
    }

    /// A client's message of zeros, in frames with so many bytes each; its key is zero.
    private static func message(_ frames: [Int]) -> [UInt8] {
        frames.enumerated().flatMap { index, count -> [UInt8] in
            let first: UInt8 = (index == frames.count - 1 ? 0x80 : 0) | (index == 0 ? 0x02 : 0)
            let length = count < 126 ? [0x80 | UInt8(count)] : [0xFE, 0, UInt8(count)]
            return [first] + length + [UInt8](repeating: 0, count: 4 + count)
        }
    }

    private static func pings(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { _ in Bench.frame([], .ping) }
    }

    static let cases = [
        Case(
            testDescription: "framePayloadBytesMax",
            limits: ProtocolLimits(framePayloadBytesMax: 125),
            most: message([125]), beyond: message([126]), code: 1009),
        Case(
            testDescription: "messageBytesMax", limits: ProtocolLimits(messageBytesMax: 30),
            most: message([10, 20]), beyond: message([10, 20, 1]), code: 1009),
        Case(
            testDescription: "fragmentsMax", limits: ProtocolLimits(fragmentsMax: 3),
            most: message([1, 0, 1]), beyond: message([1, 0, 0, 1]), code: 1008),
        Case(
            testDescription: "bookkeepingBytesMax",
            limits: ProtocolLimits(bookkeepingBytesMax: 24),
            most: message([1, 1, 1, 1]), beyond: message([1, 1, 1, 1, 1]), code: 1008),
        Case(
            testDescription: "controlFramesPerInputMax",
            limits: ProtocolLimits(controlFramesPerInputMax: 4),
            most: pings(4), beyond: pings(5), code: 1008),
        Case(
            testDescription: "controlFramesPerSecondMax",
            limits: ProtocolLimits(controlFramesPerSecondMax: 4),
            most: pings(4), beyond: pings(5), code: 1008),
    ]

    @Test(arguments: cases)
    func `at a limit the connection lives, beyond it it ends with the limit's code`(
        _ limit: Case
    ) async throws {
        for (bytes, code) in [(limit.most, nil), (limit.beyond, limit.code)] {
            let bench = try await Bench { $0.limits = limit.limits }
            bench.echoes = false
            let peer = try bench.upgraded()
            peer.send(bytes)
            bench.network.runUntilIdle()
            #expect(peer.closeCode == code)
            #expect(peer.isEnded == (code != nil))
            #expect(bench.messages.count == (code == nil && bytes.first != 0x89 ? 1 : 0))
        }
    }

    @Test func `limits that were set out of their range trap before anybody connects`() async {
        await #expect(processExitsWith: .failure) {
            _ = try await Bench { $0.limits.inflatedBytesPerTurnMax = 0 }
        }
        await #expect(processExitsWith: .failure) {
            _ = try await Bench { $0.http.headersMax = 0 }
        }
    }

    @Test(arguments: [
        (HTTPLimits(requestLineBytesMax: 18), HTTPLimits(requestLineBytesMax: 17), "414"),
        (HTTPLimits(headerLineBytesMax: 43), HTTPLimits(headerLineBytesMax: 42), "431"),
        (HTTPLimits(headersMax: 5), HTTPLimits(headersMax: 4), "431"),
        (
            HTTPLimits(headBytesMax: Bench.upgrade.count),
            HTTPLimits(headBytesMax: Bench.upgrade.count - 1), "431"
        ),
    ])
    func `a handshake beyond a limit is refused with the limit's status`(
        fitting: HTTPLimits, short: HTTPLimits, status: String
    ) async throws {
        for (limits, answer) in [(fitting, "101"), (short, status)] {
            let bench = try await Bench { $0.http = limits }
            let peer = try bench.connect()
            peer.send(Bench.upgrade)
            bench.network.runUntilIdle()
            #expect(peer.text.hasPrefix("HTTP/1.1 \(answer) "))
        }
    }
}
