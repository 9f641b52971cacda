import Hub
@testable import HubClientKit
import HubTesting
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("What a client does with a hub's refusals")
struct RefusalTests {
    @Test(arguments: [.rateLimited, .overloaded, .limitReached, .forbidden] as [FailureCode])
    func `a topic that goes on is not lost where asking for it again is refused`(
        code: FailureCode
    ) {
        for position in [nil, place(3)] {
            let script = ScriptedCore()
            script.begin(isResumed: false)
            script.answers(script.subscribe("a"), at: 5)
            let id = script.subscribe("a", after: position)
            script.publishes(6)
            let failure = script.refuses(code)
            #expect(script.finished[id] == .failure(.failed(failure)))
            script.publishes(7)
            #expect(script.told == [6, 7])
            #expect(script.core.subscriptions.topics == ["a"])
            #expect(script.ended.isEmpty && script.decided.isEmpty)
            // It goes on from what was told, and not from where it was asked for in vain.
            #expect(script.core.subscriptions.positions.map(\.position) == [place(7)])
        }
    }

    @Test func `one that was followed and cannot be had now is asked for later`() {
        let script = ScriptedCore()
        let id = script.subscribe("a")
        script.begin(isResumed: false)
        let failure = script.refuses(.overloaded, retryAfter: .seconds(2))
        #expect(script.finished[id] == .failure(.failed(failure)))
        #expect(
            script.decided == [.renewLater(after: .seconds(2), within: .milliseconds(500))])
        script.renews()
        #expect(script.asked == ["a 5", "a 5"])
        script.refuses(.forbidden)
        #expect(script.ended == ["a"])
        #expect(script.core.subscriptions.topics == [])
    }

    @Test func `one that was followed and is refused for good to one who waits has ended`() {
        let script = ScriptedCore()
        _ = script.subscribe("a")
        script.begin(isResumed: false)
        script.refuses(.forbidden)
        #expect(script.ended == ["a"])
        #expect(script.core.subscriptions.topics == [])
    }

    @Test func `one that was never had is no longer asked for, as who waits is told`() {
        let script = ScriptedCore()
        script.begin(isResumed: false)
        _ = script.subscribe("b")
        script.refuses(.overloaded)
        #expect(script.ended.isEmpty && script.decided.isEmpty)
        #expect(script.core.subscriptions.topics == ["a"])
    }

    @Test func `one that was answered too late is had, or asked for again, or has ended`() {
        let script = ScriptedCore()
        script.begin(isResumed: false)
        for (topic, code) in [("b", .overloaded), ("c", .forbidden)] as [(String, FailureCode)] {
            let id = script.subscribe(topic)
            script.timesOut(id)
            #expect(script.finished[id] == .failure(.timedOut))
            script.refuses(code)
        }
        #expect(script.decided == [.renewLater(after: .zero, within: .milliseconds(500))])
        #expect(script.ended == ["c"])
        script.renews()
        #expect(script.asked.filter { $0 == "b" }.count == 2)
    }

    @Test func `one that is asked for without a position and then from one is told from there`() {
        let script = ScriptedCore()
        script.unsubscribe("a")
        script.begin(isResumed: false)
        let (first, second) = (script.subscribe("a"), script.subscribe("a", after: place(3)))
        script.answers(first, at: 5)
        script.publishes(6)
        script.answers(second, at: 3)
        for offset in 4...7 as ClosedRange<UInt64> { script.publishes(offset) }
        #expect(script.told == [6, 4, 5, 6, 7])
    }

    @Test func `one that the hub gave and tells of no more to one that comes back is asked for`() {
        let script = ScriptedCore()
        script.begin(isResumed: true)
        script.hears(.subscribed(.init(topic: "n", position: place(8), isRecovered: false)))
        script.hearsOfToken()
        script.lose()
        script.begin(isResumed: true)
        script.hears(.subscribed(.init(topic: "a", position: place(5), isRecovered: true)))
        script.hearsOfToken()
        #expect(script.asked == ["n 8"])
        script.refuses(.forbidden)
        #expect(script.ended == ["n"])
    }

    @Test func `who asks for a topic and leaves it at once is answered both`() {
        let script = ScriptedCore()
        script.begin(isResumed: false)
        let (joined, left) = (script.subscribe("a"), script.unsubscribe("a"))
        script.answers(joined, at: 5)
        script.hears(.unsubscribed(left, topic: "a"))
        #expect(Set(script.finished.keys) == [joined, left])
        #expect(script.left == ["a"])
        #expect(script.core.subscriptions.topics == [])
    }

    /// Answers of what was asked at once: a topic, its end, and the topic again, which is refused.
    enum Answer: Sendable { case joined, left, refused }

    @Test(
        arguments: [
            [.joined, .left, .refused], [.joined, .refused, .left], [.refused, .joined, .left],
        ] as [[Answer]], [.overloaded, .forbidden] as [FailureCode])
    func `one that ended while it was asked for again in vain is not believed to go on`(
        answers: [Answer], code: FailureCode
    ) {
        let script = ScriptedCore()
        script.unsubscribe("a")
        script.begin(isResumed: false)
        let (joined, left) = (script.subscribe("a"), script.unsubscribe("a"))
        let again = script.subscribe("a")
        for answer in answers {
            switch answer {
            case .joined: script.answers(joined, at: 5)
            case .left: script.hears(.unsubscribed(left, topic: "a"))
            case .refused: script.refuses(code)
            }
        }
        #expect(Set(script.finished.keys).isSuperset(of: [joined, left, again]))
        // Refused for good as the last it has ended; otherwise it is asked for once more.
        if answers.last == .refused, code == .forbidden {
            #expect(script.decided.isEmpty)
        } else {
            #expect(
                script.decided == [.renewLater(after: .zero, within: .milliseconds(500))])
            script.renews()
            #expect(script.asked == ["a", "a", "a 5"])
            script.refuses(.forbidden)
        }
        #expect(script.ended == ["a"])
        #expect(script.core.subscriptions.topics == [])
    }

    @Test func `one that ended and is had again goes on`() {
        let script = ScriptedCore()
        script.unsubscribe("a")
        script.begin(isResumed: false)
        let (joined, left) = (script.subscribe("a"), script.unsubscribe("a"))
        let again = script.subscribe("a")
        script.answers(joined, at: 5)
        script.hears(.unsubscribed(left, topic: "a"))
        script.answers(again, at: 6)
        script.publishes(7)
        #expect(script.told == [7])
        #expect(script.ended.isEmpty && script.decided.isEmpty)
        script.renews()
        #expect(script.asked == ["a", "a"])
    }

    @Test func `the hub hears that a topic is left also where nobody can wait for its answer`() {
        let script = ScriptedCore { $0.callsMax = 1 }
        script.begin(isResumed: false)
        script.answers(script.core.renewals.keys.first ?? RequestID(rawValue: 0), at: 5)
        _ = script.subscribe("b")
        let id = script.unsubscribe("a")
        #expect(script.finished[id] == .failure(.tooManyCalls))
        #expect(script.left == ["a"])
    }

    @Test(arguments: [.timedOut, .overloaded, .storeFailed] as [FailureCode])
    func `a login that the hub cannot answer now is tried again, when it said`(code: FailureCode) {
        var configuration = HubClient.Configuration()
        configuration.login = HubMessage(text: "me")
        var core = ClientCore(configuration)
        _ = core.opened()
        let now = Instant(nanoseconds: 0)
        let said = core.received(.welcome(.init(session: "s", messageBytesMax: 1)), at: now)
        guard case .send(.request(let id, _))? = said.first else {
            Issue.record("\(said)")
            return
        }
        let failure = ServerEnvelope.Failure(request: id, code: code, retryAfter: .seconds(7))
        #expect(core.received(.failure(failure), at: now) == [.comeAgain(failure)])
        // It may say so each time, and to all at once.
        #expect(core.lost(at: now, fraction: 1).delay == .seconds(7.5))
        #expect(core.lost(at: now, fraction: 1).delay == .seconds(1))
    }

    @Test func `a hub that stays busy is asked ever later, and a login until it is answered`()
        async throws
    {
        let bench = try await ClientBench { $0.resume = nil }
        let logins = Mutex(0)
        bench.world.hub.onRequest("login", as: String.self) { name, session in
            let count = logins.withLock { count in
                count += 1
                return count
            }
            guard count > 3 else { throw EventFailure(.overloaded, "later") }
            try session.identify(as: name)
            return true
        }
        let payload = try Payload(json: "ann")
        let (ann, hears) = bench.client("anonymous") {
            $0.login = HubMessage(payload, event: "login")
            $0.callTimeout = .seconds(300)
        }
        try bench.wait { try await ann.subscribe(to: "a") }
        #expect(logins.withLock { $0 } == 4)
        #expect(hears.retries.count == 3 && !hears.retries.contains(nil))
        bench.application.busy.withLock { $0 = 1_000 }
        bench.application.hint.withLock { $0 = nil }
        bench.cutOff()
        bench.world.run(for: .seconds(600))
        let asked = 1_000 - bench.application.busy.withLock { $0 }
        // About every 15 s, and not each second.
        #expect((20...120).contains(asked), "asked \(asked) times")
        bench.application.busy.withLock { $0 = 0 }
        bench.world.run(for: .seconds(60))
        #expect(hears.subscriptions.count == 2)
    }
}
