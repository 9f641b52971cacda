import Hub
import NetPoll
import Seeds
import Testing

@testable import HubUpstream

@Suite("UpstreamCore")
struct UpstreamCoreTests {
    /// A core with its clock and its chance, as its driver gives them.
    private struct Bench {
        var core: UpstreamCore<Int>
        var now = Instant(nanoseconds: 0)
        var random = Dice(state: 1)

        init(_ configure: (inout UpstreamConfiguration) -> Void = { _ in }) {
            var limits = UpstreamConfiguration()
            configure(&limits)
            core = UpstreamCore(limits)
        }

        mutating func offer(_ kind: UpstreamEvent.Kind, _ session: Int) -> Bool {
            core.offered(Self.event(kind, session), of: session, at: now) == .queued
        }

        mutating func say(_ text: String, _ session: Int = 0) -> Bool {
            offer(.message(HubMessage(text: text)), session)
        }

        mutating func settle(
            _ outcome: UpstreamOutcome, _ session: Int = 0
        ) -> UpstreamCore<Int>.OnSettled {
            core.settled(session, outcome, at: now, using: &random)
        }

        static func event(_ kind: UpstreamEvent.Kind, _ session: Int) -> UpstreamEvent {
            UpstreamEvent(
                kind, id: "", number: 0, time: Timestamp(milliseconds: 0), session: "\(session)")
        }
    }

    /// Chance that repeats itself.
    private struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    private static let bytes = Bench.event(.message(HubMessage(text: "x")), 0).bytes

    @Test func `of a session one event is told at a time, in their order`() {
        var bench = Bench()
        let offered = [bench.say("a"), bench.say("b")]
        let (first, early) = (bench.core.next(), bench.core.next())
        #expect(offered == [true, true])
        #expect(first?.event.kind == .message(HubMessage(text: "a")))
        #expect(first?.event.number == 1)
        #expect(early == nil)
        let outcome = bench.settle(.delivered)
        let second = bench.core.next()
        #expect(outcome == .goOn)
        #expect(second?.event.kind == .message(HubMessage(text: "b")))
        #expect(second?.event.number == 2)
    }

    @Test func `of several sessions as many are told at a time as may be, the first first`() {
        var bench = Bench { $0.inFlightMax = 2 }
        for session in [3, 1, 2] { _ = bench.say("x", session) }
        let told = [bench.core.next(), bench.core.next(), bench.core.next()].map { $0?.session }
        #expect(told == [3, 1, nil])
        _ = bench.settle(.refused, 1)
        let following = bench.core.next()
        #expect(following?.session == 2)
        #expect(bench.core.counts.inFlight == 2)
        #expect(bench.core.counts.refused == 1)
    }

    @Test func `an event that failed is told again after a pause, and no other meanwhile`() {
        var bench = Bench()
        _ = bench.say("a")
        _ = bench.say("b")
        _ = bench.core.next()
        guard case .wake(let pause) = bench.settle(.failed()) else {
            Issue.record("no pause")
            return
        }
        #expect(pause <= UpstreamConfiguration().backoffBase)
        let early = bench.core.next()
        #expect(early == nil)
        bench.now = bench.now + pause
        bench.core.woken(0)
        let following = bench.core.next()
        #expect(following?.event.number == 1)
        #expect(bench.core.counts.retries == 1)
    }

    @Test(arguments: [1, 5, 9, 10, 11, 3_600])
    func `the application's own delay counts, up to the longest pause`(seconds: Int) {
        var bench = Bench()
        _ = bench.say("a")
        _ = bench.core.next()
        let outcome = bench.settle(.failed(retryAfter: .seconds(seconds)))
        #expect(outcome == .wake(after: .seconds(min(seconds, 10))))
    }

    @Test(arguments: [(290, true), (291, false)])
    func `an event is told again within the patience, and dropped beyond`(
        seconds: Int, isAgain: Bool
    ) {
        var bench = Bench()
        _ = bench.say("a")
        _ = bench.core.next()
        bench.now = bench.now + .seconds(seconds)
        let outcome = bench.settle(.failed(retryAfter: .seconds(10)))
        #expect((outcome == .wake(after: .seconds(10))) == isAgain)
        #expect(bench.core.counts.abandoned == (isAgain ? 0 : 1))
        #expect(bench.core.isEmpty == !isAgain)
    }

    @Test func `messages leave a quarter of the room to beginnings and endings`() {
        var bench = Bench { $0.eventsMax = 8 }
        let messages = (0..<7).map { bench.say("x", $0) }
        let others = (10..<13).map { bench.offer(.connected, $0) }
        #expect(messages == [true, true, true, true, true, true, false])
        #expect(others == [true, true, false])
        #expect(bench.core.counts.dropped == 2)
    }

    @Test(arguments: [0, 1])
    func `bytes are bounded at their edge`(missing: Int) {
        var bench = Bench { $0.bytesMax = 2 * Self.bytes - missing }
        let said = [bench.say("x", 0), bench.say("x", 1)]
        #expect(said == [true, missing == 0])
        let begun = bench.offer(.connected, 2)
        #expect(begun)
    }

    @Test(arguments: [0, 1])
    func `the bytes of a session are bounded at their edge, and no other's`(missing: Int) {
        var bench = Bench { $0.bytesPerSessionMax = 2 * Self.bytes - missing }
        let said = [bench.say("x"), bench.say("x"), bench.say("x", 1)]
        #expect(said == [true, missing == 0, true])
        _ = bench.core.next()
        _ = bench.settle(.delivered)
        let later = bench.say("x")
        #expect(later)
    }

    @Test func `one session cannot fill the queue, and what it loses shows in its numbers`() {
        var bench = Bench { $0.eventsPerSessionMax = 2 }
        let said = ["a", "b", "c"].map { bench.say($0) }
        let other = bench.say("x", 1)
        #expect(said == [true, true, false])
        #expect(other)
        _ = bench.core.next()
        _ = bench.settle(.delivered)
        let later = bench.say("d")
        #expect(later)
        var numbers: [UInt64] = []
        while let ticket = bench.core.next() {
            if ticket.session == 0 { numbers.append(ticket.event.number) }
            _ = bench.settle(.delivered, ticket.session)
        }
        #expect(numbers == [2, 4])
    }

    @Test func `a session leaves nothing behind`() {
        var bench = Bench()
        _ = bench.offer(.connected, 0)
        _ = bench.offer(.disconnected(.client), 0)
        for left in [1, 0] {
            _ = bench.core.next()
            _ = bench.settle(.delivered)
            #expect(bench.core.laneCount == left)
        }
        var full = Bench { $0.eventsMax = 4 }
        for session in 0..<4 { _ = full.offer(.connected, session) }
        let last = full.offer(.disconnected(.lost), 9)
        #expect(!last)
        #expect(full.core.laneCount == 4)
    }

    @Test func `what is given up is counted, and what was under way comes to nothing`() {
        var bench = Bench()
        for text in ["a", "b"] { _ = bench.say(text) }
        _ = bench.core.next()
        bench.core.abandoned()
        #expect(bench.core.isEmpty && bench.core.counts.abandoned == 2)
        let outcome = bench.settle(.delivered)
        #expect(outcome == .goOn)
        #expect(bench.core.counts.delivered == 0)
        bench.core.woken(0)
        let following = bench.core.next()
        #expect(following == nil)
    }

    @Test(arguments: seeds(100))
    func `whatever happens, each session's events are told in order and none is lost uncounted`(
        seed: UInt64
    ) {
        var bench = Bench { limits in
            limits.eventsMax = 40
            limits.eventsPerSessionMax = 6
            limits.inFlightMax = 3
            limits.patience = .seconds(20)
        }
        bench.random = Dice(state: seed)
        var (offered, told) = (0, [Int: [UInt64]]())
        var (underWay, pausing): ([Int], [(Int, Instant)]) = ([], [])
        for _ in 0..<2_000 {
            bench.now = bench.now + .milliseconds(Int64(bench.random.next() % 100))
            let session = Int(bench.random.next() % 8)
            switch bench.random.next() % 4 {
            case 0, 1:
                offered += 1
                _ = bench.say("x", session)
            case 2:
                if let ticket = bench.core.next() {
                    #expect(!underWay.contains(ticket.session), "seed \(seed)")
                    told[ticket.session, default: []].append(ticket.event.number)
                    underWay.append(ticket.session)
                }
            default:
                guard let session = underWay.popLast() else { break }
                let outcomes: [UpstreamOutcome] = [.delivered, .failed(), .failed(), .refused]
                let outcome = outcomes[Int(bench.random.next() % 4)]
                if case .wake(let pause) = bench.settle(outcome, session) {
                    pausing.append((session, bench.now + pause))
                }
            }
            for (session, _) in pausing.filter({ $0.1 <= bench.now }) { bench.core.woken(session) }
            pausing.removeAll { $0.1 <= bench.now }
            #expect(underWay.count == bench.core.counts.inFlight, "seed \(seed)")
        }
        for numbers in told.values { #expect(numbers == numbers.sorted(), "seed \(seed)") }
        let counts = bench.core.counts
        let known =
            counts.delivered + counts.dropped + counts.abandoned + counts.refused
            + UInt64(counts.waiting)
        #expect(known == UInt64(offered), "seed \(seed)")
        #expect(counts.delivered > 0 && counts.dropped > 0, "seed \(seed)")
    }
}
