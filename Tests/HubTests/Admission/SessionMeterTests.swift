import NetPoll
import Testing

@testable import Hub

@Suite("SessionMeter")
struct SessionMeterTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func meter() -> SessionMeter {
        var rate = SessionRate()
        rate.messagesPerSecond = 10
        rate.messagesBurst = 3
        rate.bytesPerSecond = 1_000
        rate.bytesBurst = 2_000
        return SessionMeter(rate)
    }

    @Test func `messages are limited however small they are`() {
        var meter = meter()
        for _ in 0..<3 { #expect(meter.take(bytes: 1, at: start) == .allowed) }
        #expect(meter.take(bytes: 1, at: start) == .limited(retryAfter: .milliseconds(100)))
    }

    @Test func `bytes are limited however few messages they are`() {
        var meter = meter()
        #expect(meter.take(bytes: 2_000, at: start) == .allowed)
        #expect(meter.take(bytes: 500, at: start) == .limited(retryAfter: .milliseconds(500)))
        #expect(meter.take(bytes: 2_000, at: start) == .exhausted)
    }

    @Test func `a message larger than the burst is never taken`() {
        var meter = meter()
        #expect(meter.take(bytes: 2_001, at: start) != .allowed)
        #expect(meter.take(bytes: 2_001, at: start + .seconds(3_600)) != .allowed)
    }
}
