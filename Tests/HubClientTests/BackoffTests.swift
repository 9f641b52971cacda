import Hub
@testable import HubClientKit
import NetPoll
import Testing

@Suite("When a client connects again")
struct BackoffTests {
    private func backoff() -> Backoff { Backoff(HubClient.Configuration()) }

    @Test func `the bound doubles up to its most, and the delay is a part of it`() {
        var whole = backoff()
        var half = backoff()
        let bounds = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        for bound in bounds {
            let (most, middle) = (whole.next(fraction: 1), half.next(fraction: 0.5))
            #expect(most == .milliseconds(bound))
            #expect(middle == .milliseconds(bound / 2))
        }
        let least = whole.next(fraction: 0)
        #expect(least == .zero)
    }

    @Test func `a session that lasted makes earlier failures forgotten, a short one does not`() {
        var backoff = backoff()
        for _ in 0..<3 { _ = backoff.next(fraction: 1) }
        backoff.worked(for: .milliseconds(4_999))
        let fourth = backoff.next(fraction: 1)
        backoff.worked(for: .seconds(5))
        let first = backoff.next(fraction: 1)
        #expect(fourth == .seconds(4))
        #expect(first == .milliseconds(500))
    }

    @Test func `what the hub advised goes before, once`() {
        var backoff = backoff()
        backoff.advised = .seconds(17)
        let (advised, second) = (backoff.next(fraction: 0), backoff.next(fraction: 1))
        #expect(advised == .seconds(17))
        #expect(second == .seconds(1))
    }

    @Test func `who is told to come at once again and again takes its time all the same`() {
        var backoff = backoff()
        let delays = (0..<4).map { _ in
            backoff.advised = .zero
            return backoff.next(fraction: 1)
        }
        #expect(delays == [0, 1, 2, 4].map { .seconds($0) })
    }

    @Test func `nobody stays away for longer than an hour at a time`() {
        var backoff = backoff()
        backoff.advised = .milliseconds(4_294_967_295)
        let delay = backoff.next(fraction: 0)
        #expect(delay == .seconds(3_600))
    }

    @Test func `of the inbox's ids the last ones are remembered`() {
        var recent = RecentInbox()
        let ids = Array(1...1_025) + [1_025, 513, 512]
        let areNew = ids.map { recent.insert(InboxID(rawValue: UInt64($0))) }
        #expect(areNew.prefix(1_025).allSatisfy { $0 })
        #expect(areNew.suffix(3) == [false, false, true])
    }
}
