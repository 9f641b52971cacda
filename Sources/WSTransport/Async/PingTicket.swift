/// One ping of a task, which may be cancelled before it is sent.
///
/// `@unchecked Sendable`: touched on the loop only.
final class PingTicket: @unchecked Sendable {
    private let payload: [UInt8]?
    private var number: UInt64?
    private var isCancelled = false

    /// - Parameter payload: `nil` for one that no other ping of the WebSocket has.
    init(_ payload: [UInt8]?) {
        self.payload = payload
    }

    func start(_ core: AsyncWebSocketCore, _ waiter: PingLine.Waiter) {
        guard !isCancelled else {
            waiter.resume(returning: .failure(.cancelled))
            return
        }
        let number = core.pings.next()
        self.number = number
        core.ping(number, payload ?? withUnsafeBytes(of: number) { Array($0) }, waiter)
    }

    func cancel(_ core: AsyncWebSocketCore) {
        isCancelled = true
        if let number { core.pings.cancel(number) }
    }
}
