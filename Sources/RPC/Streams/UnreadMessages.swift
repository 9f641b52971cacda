/// The messages of a stream that wait to be read, in their order.
///
/// Complexity: O(1) for each message, on average.
struct UnreadMessages {
    private var messages: [[UInt8]] = []
    private var first = 0
    private(set) var bytes = 0

    /// So many messages that were read are moved away at once, or more where more wait.
    private static let readMin = 64

    var count: Int { messages.count - first }
    var isEmpty: Bool { first == messages.count }

    /// What they take of the credit, where that is counted.
    var cost: Int { bytes + count * ConnectionCore.cost(0) }

    /// The places that are held, of messages that were read too.
    var places: Int { messages.count }

    mutating func append(_ message: [UInt8]) {
        messages.append(message)
        bytes += message.count
    }

    mutating func popFirst() -> [UInt8]? {
        guard first < messages.count else { return nil }
        let message = messages[first]
        messages[first] = []
        first += 1
        bytes -= message.count
        if first == messages.count {
            messages.removeAll(keepingCapacity: first <= Self.readMin)
            first = 0
        } else if first >= Self.readMin, first * 2 >= messages.count {
            messages.removeFirst(first)
            first = 0
        }
        return message
    }
}
