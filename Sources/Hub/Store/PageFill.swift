/// Counts what a page holds, for stores that read message by message.
public struct PageFill: Sendable {
    private var messages: Int
    private var bytes: Int
    private var isEmpty = true

    /// Creates an empty page.
    public init(_ limit: PageLimit) {
        messages = limit.messagesMax
        bytes = limit.bytesMax
    }

    /// Whether another message of `count` bytes fits, which is counted then; the first one always
    /// does.
    public mutating func admits(_ count: Int) -> Bool {
        guard messages > 0, isEmpty || count <= bytes else { return false }
        isEmpty = false
        messages -= 1
        bytes -= count
        return true
    }
}
