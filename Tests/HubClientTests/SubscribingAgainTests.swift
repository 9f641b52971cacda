import Hub
@testable import HubClientKit
import HubTesting
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("Topics that a client asks for again")
struct SubscribingAgainTests {
    @Test(arguments: [true, false])
    func `without a connection, one goes on where it was, also where the token is older`(
        isInToken: Bool
    ) async throws {
        let bench = try await ClientBench()
        let (ann, hears) = bench.client("ann")
        bench.world.run(for: .seconds(1))
        try bench.wait { try await ann.subscribe(to: "a") }
        if isInToken { bench.world.run(for: .seconds(1)) }
        let topic = try #require(bench.world.hub.topic("a"))
        bench.cutOff()
        _ = bench.world.network.run(within: .seconds(5)) { topic.subscriberCount == 0 }
        let isDone = Mutex(false)
        bench.start {
            try await ann.subscribe(to: "a")
            isDone.withLock { $0 = true }
        }
        for number in 1...3 { topic.publish(Publication(HubMessage(text: "\(number)"))) }
        bench.world.run(for: .seconds(5))
        #expect(isDone.withLock { $0 })
        #expect(hears.resumptions == [false, true])
        #expect(hears.texts == ["1", "2", "3"])
        #expect(hears.subscriptions.map(\.isRecovered) == [false, true])
    }

    @Test func `one of the token goes on by the token`() {
        let script = ScriptedCore()
        let offline = script.subscribe("a")
        script.begin(isResumed: true)
        let online = script.subscribe("a")
        _ = script.subscribe("b")
        #expect(script.asked == ["b"])
        script.hears(.subscribed(.init(topic: "a", position: place(5), isRecovered: true)))
        #expect(Set(script.finished.keys) == [offline, online])
        #expect(script.finished.values.allSatisfy { (try? $0.get()) != nil })
        script.hearsOfToken()
        #expect(script.asked == ["b"])
    }

    @Test func `one that the token brings no more is asked for after it`() {
        let script = ScriptedCore()
        let id = script.subscribe("a")
        script.begin(isResumed: true)
        script.hears(.unsubscribed(nil, topic: "a"))
        #expect(script.asked == [])
        script.hearsOfToken()
        #expect(script.asked == ["a"])
        let failure = ServerEnvelope.Failure(request: id, code: .forbidden)
        script.hears(.failure(failure))
        #expect(script.finished[id] == .failure(.failed(failure)))
    }

    @Test func `one that is left before the token's are told is left`() {
        let script = ScriptedCore()
        script.begin(isResumed: true)
        let id = script.subscribe("a")
        script.unsubscribe("a")
        #expect(script.finished[id] == .failure(.disconnected))
        script.hearsOfToken()
        #expect(script.asked == [])
        #expect(script.core.subscriptions.topics == [])
    }

    @Test func `one that is asked for twice without a connection is told once`() {
        let script = ScriptedCore()
        var ids = [script.subscribe("a"), script.subscribe("a")]
        script.begin(isResumed: false)
        ids.append(script.subscribe("a"))
        #expect(script.asked == ["a 5", "a 5", "a 5"])
        for (index, id) in ids.enumerated() {
            script.answers(id, at: 5)
            for offset in 6...(7 + UInt64(index)) { script.publishes(offset) }
        }
        #expect(Set(script.finished.keys) == Set(ids))
        #expect(script.told == [6, 7, 8, 9])
        // A gap is believed.
        script.hears(.subscribed(.init(topic: "a", position: place(2), isRecovered: false)))
        script.publishes(3)
        #expect(script.told == [6, 7, 8, 9, 3])
    }

    @Test func `one that is asked for from an earlier position is told from there`() {
        let script = ScriptedCore()
        script.begin(isResumed: false)
        script.answers(script.subscribe("a"), at: 5)
        let id = script.subscribe("a", after: place(3))
        // Still of the subscription before.
        script.publishes(6)
        script.answers(id, at: 3)
        for offset in 4...7 as ClosedRange<UInt64> { script.publishes(offset) }
        #expect(script.told == [6, 4, 5, 6, 7])
        // A topic that goes on is asked for as it is asked.
        _ = script.subscribe("a")
        #expect(script.asked == ["a 5", "a 5", "a 3", "a"])
    }
}
