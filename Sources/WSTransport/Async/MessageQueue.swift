import NetPoll
import WSFrame

/// Messages that wait for a task, one behind the other in one buffer, each behind eight bytes that
/// say its length and kind.
struct MessageQueue {
    private static var headBytes: Int { MemoryLayout<UInt64>.size }

    private var buffer: InboundBuffer?
    private var first = 0
    /// Whether a message of the buffer was taken, and may be held: then the buffer must not move.
    private var isShared = false

    /// Bytes that wait; an empty message counts, too.
    var bytes: Int { (buffer?.count ?? 0) - first }

    mutating func push(
        _ payload: UnsafeRawBufferPointer, kind: MessageKind, on loop: EventLoop
    ) {
        let buffer = place(for: Self.headBytes + payload.count, on: loop)
        let head = UInt64(payload.count) << 1 | (kind == .text ? 1 : 0)
        withUnsafeBytes(of: head) { buffer.append($0) }
        buffer.append(payload)
    }

    /// A buffer with room for `count` bytes, or one that may move to make it.
    private mutating func place(for count: Int, on loop: EventLoop) -> InboundBuffer {
        if let buffer, !isShared || buffer.count + count <= buffer.capacity { return buffer }
        let waiting = bytes
        // Twice what is needed, so that what waits is copied seldom.
        let made = loop.emptyBuffer(for: waiting == 0 ? count : 2 * (waiting + count))
        if let buffer { made.append(UnsafeRawBufferPointer(rebasing: buffer.bytes[first...])) }
        buffer = made
        first = 0
        isShared = false
        return made
    }

    mutating func pop() -> WebSocketMessage? {
        guard let buffer else { return nil }
        let head = buffer.bytes.loadUnaligned(fromByteOffset: first, as: UInt64.self)
        let start = first + Self.headBytes
        first = start + Int(head >> 1)
        let message = WebSocketMessage(
            kind: head & 1 == 1 ? .text : .binary, bytes: ReceivedBytes(buffer, start..<first))
        isShared = true
        if first == buffer.count { self = MessageQueue() }
        return message
    }
}
