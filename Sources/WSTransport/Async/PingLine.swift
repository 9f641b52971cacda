import NetPoll

/// The pings whose answers tasks wait for, in the order they were sent.
struct PingLine {
    typealias Waiter = UnsafeContinuation<Result<Duration, WebSocketError>, Never>

    private struct Ping {
        let number: UInt64
        let payload: [UInt8]
        let sentAt: Instant
        let waiter: Waiter
    }

    private var waiting: [Ping] = []
    private var sent: UInt64 = 0

    /// The number of the next ping, which it carries where its task gives it nothing else.
    mutating func next() -> UInt64 {
        sent += 1
        return sent
    }

    mutating func append(
        _ number: UInt64, _ payload: [UInt8], _ waiter: Waiter, at sentAt: Instant
    ) {
        waiting.append(Ping(number: number, payload: payload, sentAt: sentAt, waiter: waiter))
    }

    /// A pong answers its ping and all before it: a peer may answer only the latest (RFC 6455
    /// §5.5.3).
    mutating func answered(_ pong: RawSpan, at now: Instant) {
        // The pointer is used within the call only.
        let last = pong.withUnsafeBytes { pong in
            waiting.firstIndex { pong.elementsEqual($0.payload) }
        }
        guard let last else { return }
        let answered = waiting[...last]
        waiting = Array(waiting[(last + 1)...])
        for ping in answered { ping.waiter.resume(returning: .success(now - ping.sentAt)) }
    }

    /// The task that waits for this one was cancelled.
    mutating func cancel(_ number: UInt64) {
        guard let index = waiting.firstIndex(where: { $0.number == number }) else { return }
        waiting.remove(at: index).waiter.resume(returning: .failure(.cancelled))
    }

    mutating func failAll(_ error: WebSocketError) {
        let all = waiting
        waiting = []
        for ping in all { ping.waiter.resume(returning: .failure(error)) }
    }
}
