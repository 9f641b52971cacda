/// A message that does not leave as one plain frame: it is sent in pieces, or compressed.
///
/// Used on its connection's loop only.
final class OutgoingMessage {
    let type: FrameType
    let stream: UInt32
    /// Of the first piece.
    let flags: FrameFlags
    let bytes: [UInt8]
    /// How many bytes have left.
    var sent = 0
    /// The call whose credit further pieces cost.
    var credit: (side: CallSide, key: CallKey)?
    /// What its first piece costs.
    var firstCost = 0
    /// Told once: whether all of it has left.
    var whenOver: ((Bool) -> Void)?

    init(_ type: FrameType, _ stream: UInt32, _ flags: FrameFlags, _ bytes: [UInt8]) {
        self.type = type
        self.stream = stream
        self.flags = flags
        self.bytes = bytes
    }

    func end(wasSent: Bool) {
        let told = whenOver
        whenOver = nil
        told?(wasSent)
    }
}

/// A connection's long messages: as many as the peer takes at once leave in turns, piece by piece; the
/// others wait for their place.
struct Outbox {
    private var active: [OutgoingMessage] = []
    private var waiting: [OutgoingMessage] = []
    /// Whose turn is next.
    private var turn = 0
    /// Bytes that have not left.
    private(set) var bytes = 0

    var isEmpty: Bool { active.isEmpty && waiting.isEmpty }

    /// How many messages are on their way.
    var activeCount: Int { active.count }

    mutating func add(_ message: OutgoingMessage, activeMax: Int) {
        bytes += message.bytes.count - message.sent
        if active.count < activeMax, waiting.isEmpty {
            active.append(message)
        } else {
            waiting.append(message)
        }
    }

    /// The message whose turn it is.
    mutating func next() -> OutgoingMessage? {
        guard !active.isEmpty else { return nil }
        if turn >= active.count { turn = 0 }
        defer { turn += 1 }
        return active[turn]
    }

    mutating func sent(_ count: Int) { bytes -= count }

    /// A message has left, or is not wanted any more.
    mutating func remove(_ message: OutgoingMessage, activeMax: Int) {
        bytes -= message.bytes.count - message.sent
        waiting.removeAll { $0 === message }
        if let index = active.firstIndex(where: { $0 === message }) {
            active.remove(at: index)
            if index < turn { turn -= 1 }
        }
        while active.count < activeMax, !waiting.isEmpty { active.append(waiting.removeFirst()) }
    }

    /// The messages of a stream that have not left.
    func messages(of stream: UInt32) -> [OutgoingMessage] {
        (active + waiting).filter { $0.stream == stream }
    }

    mutating func takeAll() -> [OutgoingMessage] {
        defer { (active, waiting, turn, bytes) = ([], [], 0, 0) }
        return active + waiting
    }
}
