import NetPoll

/// A ping that was not answered yet; exists only meanwhile.
final class OutstandingPing {
    let sentAt: Instant
    private let payload: [UInt8]

    init(_ payload: RawSpan, at sentAt: Instant) {
        self.sentAt = sentAt
        self.payload = payload.withUnsafeBytes { Array($0) }
    }

    func isAnswered(by pong: RawSpan) -> Bool {
        pong.withUnsafeBytes { $0.elementsEqual(payload) }
    }
}
