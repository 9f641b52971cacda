import NetPoll

/// The pings whose answers tasks wait for, in the order they were sent.
struct PingLine {
    typealias Waiter = UnsafeContinuation<Result<Duration, WebSocketError>, Never>

    private struct Ping {
        let number: UInt64
        let sentAt: Instant
        let waiter: Waiter
    }

    private var waiting: [Ping] = []
    private var sent: UInt64 = 0

    /// The number the next ping carries.
    mutating func next() -> UInt64 {
        sent += 1
        return sent
    }

    mutating func append(_ number: UInt64, _ waiter: Waiter, at sentAt: Instant) {
        waiting.append(Ping(number: number, sentAt: sentAt, waiter: waiter))
    }

    /// A pong answers its ping and all before it: a peer may answer only the latest (RFC 6455
    /// §5.5.3).
    mutating func answered(_ pong: RawSpan, at now: Instant) {
        guard pong.byteCount == MemoryLayout<UInt64>.size else { return }
        let number = pong.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        guard let last = waiting.firstIndex(where: { $0.number == number }) else { return }
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
