/// A connection's handler that hands its events to tasks.
///
///     reading ──bytes beyond the bound──▶ paused ──all taken──▶ reading
///        │                                   │
///        └────── end-of-file, closed ◀───────┘
///
/// A message that arrives while a task waits goes straight to that task, which runs at once, inside
/// the event. Otherwise it waits here, and the next call takes all that waits without suspending.
///
/// `@unchecked Sendable`: all but constants is touched on ``loop`` only; ``AsyncConnection`` goes
/// there first.
package final class AsyncConnectionCore: ConnectionHandler, @unchecked Sendable {
    typealias Reading = AsyncConnection.Reading
    typealias Reader = UnsafeContinuation<Reading, Never>
    typealias Waiter = UnsafeContinuation<Void, Never>

    let loop: EventLoop
    package let connection: Connection
    let peer: SocketAddress

    // Unchecked as the loop's own fields are: each access is short and runs nobody else's code.
    @exclusivity(unchecked) private var reader: Reader?
    @exclusivity(unchecked) private var pending: InboundBuffer?
    private var isPaused = false
    private var peerEnded = false
    @exclusivity(unchecked) private var isCancelled = false
    @exclusivity(unchecked) private var reason: CloseReason?
    /// Tasks that wait until less is queued, or for their turn to write.
    @exclusivity(unchecked) private var writers = WriterLine()
    private var closeWaiters: [Waiter] = []

    package init(_ connection: Connection, from peer: SocketAddress) {
        self.connection = connection
        self.peer = peer
        loop = connection.loop
    }

    // MARK: - Events

    package func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        // The pointer is used within the call only; the bytes are copied.
        bytes.bytes.withUnsafeBytes { bytes in
            if let reader {
                self.reader = nil
                let buffer = loop.inboundBuffers.buffer(bytes)
                reader.resume(returning: .bytes(ReceivedBytes(buffer)))
                return
            }
            if let pending {
                pending.append(bytes)
            } else {
                pending = loop.inboundBuffers.buffer(bytes)
            }
            if let pending, pending.count >= connection.settings.limits.inboundBytesMax {
                isPaused = true
                connection.pauseReading()
            }
        }
        // The task runs here as a handler would: its buffer is still in the cache, and is free
        // again for the next connection's bytes.
        loop.runReady()
    }

    package func receivedEnd(on connection: Connection) {
        peerEnded = true
        resumeReader()
    }

    package func fellBelowLowWatermark(_ connection: Connection) { writers.resumeFirst() }

    package func closed(_ connection: Connection, reason: CloseReason) {
        self.reason = reason
        resumeReader()
        // Each finds the connection closed, and lets the next one find it.
        writers.resumeAll()
        for waiter in closeWaiters { waiter.resume() }
        closeWaiters = []
    }

    /// The task that owns the connection was cancelled.
    func cancel() {
        guard reason == nil else { return }
        isCancelled = true
        connection.abort()
    }

    // MARK: - Reading

    /// Whether bytes arrived that no task has taken.
    package var hasUnread: Bool { pending != nil }

    /// What waits, or why nothing will come; `nil` where the task has to wait.
    @inline(__always)
    func takeReading() -> Reading? {
        if let buffer = pending {
            pending = nil
            if isPaused {
                isPaused = false
                connection.resumeReading()
            }
            return .bytes(ReceivedBytes(buffer))
        }
        return readingAtEnd
    }

    private var readingAtEnd: Reading? {
        if isCancelled { return .failed(.cancelled) }
        if peerEnded { return .end }
        switch reason {
        case nil: return nil
        case .peer: return .end
        case .some(let reason): return .failed(.closed(reason))
        }
    }

    func wait(_ reader: Reader) {
        if let reading = takeReading() {
            reader.resume(returning: reading)
            return
        }
        precondition(self.reader == nil, "two tasks read from one connection at once")
        self.reader = reader
    }

    private func resumeReader() {
        guard let reader, let reading = readingAtEnd else { return }
        self.reader = nil
        reader.resume(returning: reading)
    }

    // MARK: - Writing

    /// Whether a write may begin now without waiting for another task's.
    var mayWrite: Bool { writers.isFree }

    var isWriting: Bool { writers.isWriting }

    var writeError: ConnectionError {
        isCancelled ? .cancelled : .closed(reason ?? .local)
    }

    /// Begins a write of several pieces; others wait until it ends.
    func beginWriting() { writers.begin() }

    func endWriting() { writers.end() }

    /// Waits until less is queued, or until a write ends. A writer that was under way goes first.
    func waitToWrite(_ writer: Waiter, goesFirst: Bool) {
        guard reason == nil, goesFirst || !mayWrite, connection.isOpen else {
            writer.resume()
            return
        }
        if goesFirst, connection.queuedBytes <= connection.settings.limits.lowWatermark {
            writer.resume()
        } else if goesFirst {
            connection.awaitFall()
            writers.prepend(writer)
        } else {
            writers.append(writer)
        }
    }

    // MARK: - Closing

    func waitUntilClosed(_ waiter: Waiter) {
        if reason == nil { closeWaiters.append(waiter) } else { waiter.resume() }
    }
}
