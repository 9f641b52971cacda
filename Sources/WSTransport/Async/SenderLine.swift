/// The tasks whose sends wait, in their order.
///
/// The loop sends for them: a task that waited may go on on any thread, and when it likes.
struct SenderLine {
    /// Told what kept its message from being sent, if anything did.
    typealias Sender = UnsafeContinuation<WebSocketError?, Never>

    enum Waiting: Sendable {
        /// The message was taken; the task goes on once there is room for others.
        case forRoom
        /// The message stands behind those of others.
        case forTurn(Outgoing)
        /// The message was not taken; why is known once the WebSocket has ended.
        case forEnd
    }

    private var senders: [(waiting: Waiting, sender: Sender)] = []
    /// Whether the queue rose above its high watermark by a send, and has not fallen since.
    var isFull = false

    /// Whether a message may be sent now without waiting for another task's.
    var isFree: Bool { !isFull && senders.isEmpty }

    mutating func append(_ waiting: Waiting, _ sender: Sender) {
        senders.append((waiting, sender))
    }

    /// One whose message was taken goes first.
    mutating func prepend(_ waiting: Waiting, _ sender: Sender) {
        senders.insert((waiting, sender), at: 0)
    }

    /// Takes out who is next, unless the queue is full.
    mutating func next() -> (waiting: Waiting, sender: Sender)? {
        isFull || senders.isEmpty ? nil : senders.removeFirst()
    }

    /// Nothing more is sent, for this reason.
    mutating func end(_ error: WebSocketError) {
        let all = senders
        senders = []
        isFull = false
        for (waiting, sender) in all {
            switch waiting {
            // What was taken is sent, even where the WebSocket ends meanwhile.
            case .forRoom: sender.resume(returning: nil)
            case .forTurn, .forEnd: sender.resume(returning: error)
            }
        }
    }
}
