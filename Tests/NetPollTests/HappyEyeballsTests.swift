import NetPollTesting
import Testing

@testable import NetPoll

@Suite("Happy Eyeballs, RFC 8305")
struct HappyEyeballsTests {
    private typealias Action = HappyEyeballs.Action

    private static func v4(_ last: UInt32) -> SocketAddress { .v4(last, port: 80) }
    private static func v6(_ last: UInt64) -> SocketAddress { .v6(0, last, port: 80, scope: 0) }

    private func at(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test func `an IPv6 answer starts at once`() {
        var core = HappyEyeballs()
        core.answered(.v6, [Self.v6(1)], at: at(0))
        #expect(core.next(at: at(0)) == .start(Self.v6(1)))
        #expect(core.next(at: at(0)) == .waitForInput)
    }

    @Test func `an IPv4 answer waits 50 ms for the IPv6 one`() {
        var core = HappyEyeballs()
        core.answered(.v4, [Self.v4(1)], at: at(10))
        #expect(core.next(at: at(10)) == .wait(until: at(60)))
        #expect(core.next(at: at(60)) == .start(Self.v4(1)))
    }

    @Test func `an IPv6 answer within the delay goes first`() {
        var core = HappyEyeballs()
        core.answered(.v4, [Self.v4(1)], at: at(0))
        core.answered(.v6, [Self.v6(1)], at: at(49))
        #expect(core.next(at: at(49)) == .start(Self.v6(1)))
        #expect(core.next(at: at(49)) == .wait(until: at(299)))
        #expect(core.next(at: at(299)) == .start(Self.v4(1)))
    }

    @Test func `no IPv6 address ends the wait`() {
        var core = HappyEyeballs()
        core.answered(.v4, [Self.v4(1)], at: at(0))
        core.answered(.v6, [], at: at(20))
        #expect(core.next(at: at(20)) == .start(Self.v4(1)))
    }

    @Test func `families take turns, each attempt 250 ms after the last`() {
        var core = HappyEyeballs()
        core.answered(.v6, [Self.v6(1), Self.v6(2), Self.v6(3)], at: at(0))
        core.answered(.v4, [Self.v4(1), Self.v4(2)], at: at(0))
        var order: [SocketAddress] = []
        var now: Int64 = 0
        while case .start(let address) = core.next(at: at(now)) {
            order.append(address)
            #expect(
                order.count == 5 || core.next(at: at(now)) == .wait(until: at(now + 250)))
            now += 250
        }
        #expect(order == [Self.v6(1), Self.v4(1), Self.v6(2), Self.v4(2), Self.v6(3)])
        #expect(core.next(at: at(now)) == .waitForInput, "five attempts are under way")
    }

    @Test func `a failed attempt starts the next one at once`() {
        var core = HappyEyeballs()
        core.answered(.v6, [Self.v6(1)], at: at(0))
        core.answered(.v4, [Self.v4(1)], at: at(0))
        #expect(core.next(at: at(0)) == .start(Self.v6(1)))
        core.failed()
        #expect(core.next(at: at(5)) == .start(Self.v4(1)))
        core.failed()
        #expect(core.next(at: at(6)) == .fail)
    }

    @Test func `a late answer is used while attempts are under way`() {
        var core = HappyEyeballs()
        core.answered(.v4, [Self.v4(1)], at: at(0))
        #expect(core.next(at: at(50)) == .start(Self.v4(1)))
        core.answered(.v6, [Self.v6(1)], at: at(80))
        #expect(core.next(at: at(80)) == .wait(until: at(300)))
        core.failed()
        #expect(core.next(at: at(90)) == .start(Self.v6(1)))
    }

    @Test func `a host without addresses fails when both answers are in`() {
        var core = HappyEyeballs()
        core.answered(.v6, [], at: at(0))
        #expect(core.next(at: at(0)) == .waitForInput)
        core.answered(.v4, [], at: at(1))
        #expect(core.next(at: at(1)) == .fail)
    }

    @Test func `an answer as long as a network is cut`() {
        var core = HappyEyeballs()
        core.answered(.v4, [], at: at(0))
        core.answered(.v6, (0..<10_000).map(Self.v6), at: at(0))
        var count = 0
        while case .start = core.next(at: at(0)) {
            count += 1
            core.failed()
        }
        #expect(count == HappyEyeballs.addressesPerFamilyMax)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `every address is tried once, whatever the order of events`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var core = HappyEyeballs()
        var expected: Set<SocketAddress> = []
        var tried: [SocketAddress] = []
        var answers: [(AddressFamily, [SocketAddress])] = [
            (.v4, (0..<UInt32.random(in: 0...5, using: &random)).map(Self.v4)),
            (.v6, (0..<UInt64.random(in: 0...5, using: &random)).map(Self.v6)),
        ]
        answers.shuffle(using: &random)
        for (_, addresses) in answers { expected.formUnion(addresses) }
        var (now, underWay) = (Int64(0), 0)
        var isOver = false
        for _ in 0..<1_000 where !isOver {
            switch core.next(at: at(now)) {
            case .start(let address):
                tried.append(address)
                underWay += 1
                continue
            case .fail: isOver = true
            case .wait(let moment): #expect(moment > at(now), "seed \(seed)")
            case .waitForInput: #expect(underWay > 0 || !answers.isEmpty, "seed \(seed)")
            }
            now += Int64.random(in: 0...100, using: &random)
            if underWay > 0, Bool.random(using: &random) {
                core.failed()
                underWay -= 1
            } else if let (family, addresses) = answers.popLast() {
                core.answered(family, addresses, at: at(now))
            }
        }
        #expect(isOver && underWay == 0, "seed \(seed)")
        #expect(tried.count == expected.count && Set(tried) == expected, "seed \(seed)")
    }
}
