/// One ping of a task, which may be cancelled before it is sent.
///
/// `@unchecked Sendable`: touched on the loop only.
final class PingTicket: @unchecked Sendable {
    private var number: UInt64?
    private var isCancelled = false

    func start(_ core: AsyncWebSocketCore, _ waiter: PingLine.Waiter) {
        guard !isCancelled else {
            waiter.resume(returning: .failure(.cancelled))
            return
        }
        let number = core.pings.next()
        self.number = number
        core.ping(number, waiter)
    }

    func cancel(_ core: AsyncWebSocketCore) {
        isCancelled = true
        if let number { core.pings.cancel(number) }
    }
}
