import Synchronization

/// The messages of one streaming call on this side: those that wait to be read, and those that wait
/// for credit to be sent.
///
/// `@unchecked Sendable`: what is not behind the lock is touched on the connection's loop only.
final class CallStream: @unchecked Sendable {
    /// The most bytes that wait to be read where the peer does not know credit, each message counted as
    /// ten more; its stream fails beyond that.
    static let uncountedBytesMax = 1 << 20

    typealias Written = UnsafeContinuation<RPCError?, Never>

    private struct Inbox {
        var messages = UnreadMessages()
        /// Read, and not told to the loop yet.
        var consumed = 0
        /// The peer's end: of success where there is no failure.
        var isEnded = false
        var failure: RPCError?
        var reader: UnsafeContinuation<Void, Never>?
        /// The number of the latest write.
        var writes: UInt64 = 0
    }

    let peer: PeerConnection
    let side: CallSide
    private let inbox = Mutex(Inbox())

    // On the loop.
    private(set) var key: CallKey?
    /// Whether its data are counted against credit.
    private(set) var isCounted = false
    private var waiting: [(message: [UInt8], number: UInt64, written: Written)] = []
    /// Writes whose tasks were cancelled before they came here.
    private var cancelledWrites: Set<UInt64> = []
    /// The number and writer of the long message that is leaving in pieces.
    private var long: (number: UInt64, written: Written?)?
    /// A long message is being begun: what follows it is seen to by who began it.
    private var isBeginning = false
    private var endsWhenWritten = false
    /// Nothing more is sent.
    private var isClosed = false
    /// Why, where the call is over: what writers are told that come later.
    private var failure: RPCError?
    /// Nothing more is read.
    private var isDiscarded = false

    init(_ peer: PeerConnection, _ side: CallSide) {
        self.peer = peer
        self.side = side
    }

    // MARK: - Reading, from any task

    /// The next message; `nil` at the end.
    func next() async throws(RPCError) -> [UInt8]? {
        while true {
            guard !Task.isCancelled else {
                throw RPCError(.cancelled, "the reader was cancelled", execution: .unknown)
            }
            let (message, consumed, ended, failure) = inbox.withLock { inbox in
                let message = inbox.messages.popFirst()
                if let message { inbox.consumed += ConnectionCore.cost(message.count) }
                let isDue = inbox.messages.isEmpty || inbox.consumed >= peer.creditStep
                let consumed = isDue ? inbox.consumed : 0
                if isDue { inbox.consumed = 0 }
                return (message, consumed, inbox.isEnded, inbox.failure)
            }
            if consumed > 0 { peer.mailbox.consumed(consumed, of: self) }
            if let message { return message }
            if let failure { throw failure }
            if ended { return nil }
            await waitForMessage()
        }
    }

    private func waitForMessage() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (reader: UnsafeContinuation<Void, Never>) in
                let mayWait = inbox.withLock { inbox in
                    guard inbox.messages.isEmpty, !inbox.isEnded, !Task.isCancelled else {
                        return false
                    }
                    precondition(inbox.reader == nil, "two tasks read from one stream at once")
                    inbox.reader = reader
                    return true
                }
                if !mayWait { reader.resume() }
            }
        } onCancel: {
            wakeReader()
        }
    }

    private func wakeReader() {
        let reader = inbox.withLock { $0.reader.take() }
        reader?.resume()
    }

    /// Whether the peer ended it, well or not.
    var isEnded: Bool { inbox.withLock { $0.isEnded } }

    /// Bytes that wait to be read.
    var waitingBytes: Int { inbox.withLock { $0.messages.bytes } }

    // MARK: - Writing, from any task

    func write(_ message: [UInt8]) async throws(RPCError) {
        guard !Task.isCancelled else {
            throw RPCError(.cancelled, "the writer was cancelled", execution: .unknown)
        }
        let number = inbox.withLock { inbox in
            inbox.writes += 1
            return inbox.writes
        }
        let failure = await withTaskCancellationHandler {
            await withUnsafeContinuation { (written: Written) in
                peer.mailbox.write(message, number, to: self, written)
            }
        } onCancel: {
            peer.mailbox.cancelWrite(number, of: self)
        }
        if let failure { throw failure }
    }

    // MARK: - On the loop

    /// Its request is sent, or was received.
    func opened(_ key: CallKey, isCounted: Bool) {
        self.key = key
        self.isCounted = isCounted
        flush()
    }

    /// A message arrived; `false` where too many wait and nothing counts them.
    ///
    /// - Parameters:
    ///   - message: Copied.
    ///   - isReply: Whether it came in a request or a response, which cost no credit.
    /// - Returns: Whether it was taken.
    func deliver(_ message: UnsafeRawBufferPointer, isReply: Bool = false) -> Bool {
        if isDiscarded {
            if !isReply { peer.consumed(ConnectionCore.cost(message.count), of: self) }
            return true
        }
        let isBounded = isCounted || isReply
        var isLate = false
        let (reader, isTaken) = inbox.withLock { inbox in
            guard
                isBounded || inbox.messages.isEmpty
                    || inbox.messages.cost + ConnectionCore.cost(message.count)
                        <= Self.uncountedBytesMax
            else {
                return (nil as UnsafeContinuation<Void, Never>?, false)
            }
            isLate = inbox.isEnded
            guard !isLate else { return (nil, true) }
            inbox.messages.append(Array(message))
            // What cost no credit gives none back.
            if isReply { inbox.consumed -= ConnectionCore.cost(message.count) }
            return (inbox.reader.take(), true)
        }
        reader?.resume()
        // It came after its call's deadline: nobody reads it.
        if isLate, !isReply { peer.consumed(ConnectionCore.cost(message.count), of: self) }
        return isTaken
    }

    /// The peer sends no more; with a failure, the call is over.
    func end(_ failure: RPCError? = nil) {
        let reader = inbox.withLock { inbox in
            if !inbox.isEnded {
                inbox.isEnded = true
                inbox.failure = failure
            }
            return inbox.reader.take()
        }
        reader?.resume()
    }

    /// The call is over: nothing more is sent, and whoever tries is told `failure`. The first one
    /// counts.
    func close(_ failure: RPCError) {
        isClosed = true
        guard self.failure == nil else { return }
        self.failure = failure
        long?.written?.resume(returning: failure)
        long?.written = nil
        for writer in waiting { writer.written.resume(returning: failure) }
        waiting = []
    }

    /// Nobody reads any more.
    ///
    /// - Returns: The cost of what was received and will not be read.
    func discard() -> Int {
        isDiscarded = true
        return inbox.withLock { inbox in
            // Below 0 for a message that cost no credit, until that is counted as the others are.
            let cost = inbox.consumed + inbox.messages.cost
            inbox.consumed = 0
            inbox.messages = UnreadMessages()
            return cost
        }
    }

    func add(_ message: [UInt8], _ number: UInt64, _ written: Written) {
        guard !isClosed, !endsWhenWritten, cancelledWrites.remove(number) == nil else {
            return written.resume(returning: whyClosed)
        }
        waiting.append((message, number, written))
        flush()
    }

    func cancelWrite(_ number: UInt64) {
        if long?.number == number {
            // What has begun goes on; only its writer does not wait for that.
            let error = RPCError(.cancelled, "the writer was cancelled", execution: .unknown)
            long?.written?.resume(returning: error)
            long?.written = nil
            return
        }
        guard let index = waiting.firstIndex(where: { $0.number == number }) else {
            if !isClosed { cancelledWrites.insert(number) }
            return
        }
        let error = RPCError(.cancelled, "the writer was cancelled", execution: .unknown)
        waiting.remove(at: index).written.resume(returning: error)
    }

    func finish() {
        endsWhenWritten = true
        flush()
    }

    /// Sends what has credit.
    ///
    /// - Returns: Whether any message was sent.
    @discardableResult
    func flush() -> Bool {
        guard let key, !isClosed else { return false }
        var hasSent = false
        while let (message, number, written) = waiting.first {
            guard long == nil else { return hasSent }
            guard message.count <= peer.messageBytesMax else {
                waiting.removeFirst()
                written.resume(returning: tooLong(message.count))
                continue
            }
            guard !peer.isLong(message.count) else {
                let mayGoOn = flushLong(message, number, written, key)
                if mayGoOn || long != nil { hasSent = true }
                guard mayGoOn else { return hasSent }
                continue
            }
            switch peer.writeData(message, side, key) {
            case .send:
                waiting.removeFirst()
                hasSent = true
                written.resume(returning: nil)
            case .wait: return hasSent
            case .closed:
                waiting.removeFirst()
                written.resume(returning: whyClosed)
            }
        }
        guard endsWhenWritten, long == nil else { return hasSent }
        isClosed = true
        peer.closeData(side, key)
        return hasSent
    }

    /// What a writer is told whose message is not sent.
    private var whyClosed: RPCError {
        failure ?? RPCError(.cancelled, "the stream is closed", execution: .unknown)
    }

    /// What a writer is told whose message is longer than both sides take.
    private func tooLong(_ bytes: Int) -> RPCError {
        let text = "message of \(bytes) bytes exceeds \(peer.messageBytesMax)"
        return RPCError(.resourceExhausted, text, execution: .unknown)
    }

    /// Whether messages wait to be sent, or one is leaving in pieces.
    var isSending: Bool { long != nil || !waiting.isEmpty }

    /// Begins to send a long message; whether the next may be tried.
    private func flushLong(
        _ message: [UInt8], _ number: UInt64, _ written: Written, _ key: CallKey
    ) -> Bool {
        waiting.removeFirst()
        // It may be over before the call returns.
        long = (number, written)
        isBeginning = true
        let outcome = peer.writeLong(message, to: self, key) { [self] wasSent in
            let writer = long?.written
            long = nil
            writer?.resume(returning: wasSent ? nil : whyClosed)
            if !isBeginning { flush() }
        }
        isBeginning = false
        switch outcome {
        case .send: return long == nil
        case .wait:
            long = nil
            waiting.insert((message, number, written), at: 0)
            return false
        case .closed:
            long = nil
            written.resume(returning: whyClosed)
            return true
        }
    }
}
