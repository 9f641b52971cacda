/// The messages of the peer's that have begun to arrive in pieces and are not whole yet.
///
/// Their number is bounded by what this side announced, each by the longest message it takes.
struct PartialMessages {
    struct Partial {
        /// Of the first piece: the message's stream, type and flags.
        let header: FrameHeader
        var bytes: [UInt8] = []
        /// What its pieces took of the credit.
        var cost = 0
        /// Nobody wants it: its further pieces are passed over.
        var isDropped = false
    }

    /// A message of a stream whose call is over, and whose further pieces are still on their way.
    private struct Late {
        let stream: UInt32
        let isCompressed: Bool
    }

    /// The most late messages that are remembered; of those whose senders stopped in the middle, nothing
    /// more comes.
    static let lateMax = 64

    private var partials: [Partial] = []
    private var late: [Late] = []

    var isEmpty: Bool { partials.isEmpty }
    var count: Int { partials.count }

    /// Whether a call is arriving that is wanted.
    var awaitsRequest: Bool { partials.contains { $0.header.type == .request && !$0.isDropped } }

    /// Bytes that are held.
    var bytes: Int { partials.reduce(0) { $0 + $1.bytes.count } }

    /// The place of the message that a frame goes on with.
    func index(of header: FrameHeader) -> Int? {
        partials.firstIndex {
            $0.header.stream == header.stream && $0.header.type == header.type
        }
    }

    subscript(index: Int) -> Partial { partials[index] }

    /// A further piece came.
    mutating func append(_ data: UnsafeRawBufferPointer, to index: Int) {
        partials[index].bytes += data
    }

    /// A further piece took of the credit.
    mutating func addCost(_ cost: Int, to index: Int) { partials[index].cost += cost }

    mutating func add(_ partial: Partial) { partials.append(partial) }

    @discardableResult
    mutating func remove(_ index: Int) -> Partial { partials.remove(at: index) }

    /// Nobody wants a message any more: its bytes are let go of.
    mutating func drop(_ index: Int) {
        partials[index].bytes = []
        partials[index].isDropped = true
    }

    /// A call is over: what has begun of its messages goes.
    ///
    /// - Returns: What it took of the connection's credit.
    mutating func removeAll(of stream: UInt32) -> Int {
        var cost = 0
        for partial in partials where partial.header.stream == stream {
            if !partial.isDropped { cost += partial.cost }
            if partial.header.type == .data { addLate(partial.header) }
        }
        partials.removeAll { $0.header.stream == stream }
        return cost
    }

    /// More of a message will come when its call is over.
    ///
    /// - Parameter first: The header of its first piece.
    mutating func addLate(_ first: FrameHeader) {
        if late.count == Self.lateMax { late.removeFirst() }
        late.append(Late(stream: first.stream, isCompressed: first.flags.contains(.compressed)))
    }

    /// A frame of data came when its call is over.
    ///
    /// - Parameters:
    ///   - header: The frame's.
    ///   - cost: What it takes of the connection's credit where it begins a message.
    /// - Returns: What it takes, be it the first piece of a message or a further one.
    mutating func lateCost(_ header: FrameHeader, _ cost: Int) -> Int {
        let isLast = !header.flags.contains(.more)
        guard let index = late.firstIndex(where: { $0.stream == header.stream }) else {
            if !isLast { addLate(header) }
            return cost
        }
        // A compressed message took all with its first piece.
        let further = late[index].isCompressed ? 0 : header.dataBytes
        if isLast { late.remove(at: index) }
        return further
    }
}
