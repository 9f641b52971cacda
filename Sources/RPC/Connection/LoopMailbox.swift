import NetPoll
import Synchronization

/// What other threads want of the connections of a loop: a burst of it costs one wake.
final class LoopMailbox: Sendable {
    let loop: EventLoop
    private let queue: MailQueue
    /// Made once, so that posting allocates nothing.
    private let job: @Sendable () -> Void

    init(_ loop: EventLoop) {
        let queue = MailQueue()
        self.loop = loop
        self.queue = queue
        job = { queue.drain() }
    }

    /// A caller's task wants a call to be made.
    func submit(_ call: PendingCall, on peer: PeerConnection) {
        if loop.isCurrent { return peer.submit(call) }
        post(.submit(peer, call))
    }

    /// A caller's task was cancelled.
    func cancel(_ call: PendingCall, on peer: PeerConnection) { post(.cancel(peer, call)) }

    /// A handler is done, and its task parked. Of a burst of handlers on the pool the loop is told
    /// once.
    func finished(_ call: ServedCall) {
        if loop.isCurrent { return MailQueue.finish(call) }
        guard call.execution != .loop else { return post(.finished(call)) }
        if queue.addToBurst(.finished(call)) { BurstExecutor.shared.tellSoon(self) }
    }

    /// An interceptor brought the deadline of a call forward; in the call's task.
    func shorten(_ deadline: Int64, of call: ServedCall) {
        if loop.isCurrent { return MailQueue.shorten(deadline, of: call, call.number) }
        post(.shorten(call, call.number, deadline))
    }

    /// Wakes the loop for a burst, unless it was woken meanwhile.
    func announce() {
        if queue.announce() { wake() }
    }

    /// A stream's messages were read.
    func consumed(_ cost: Int, of stream: CallStream) {
        if loop.isCurrent { return stream.peer.consumed(cost, of: stream) }
        post(.consumed(stream, cost))
    }

    /// A task wants a message to be sent.
    func write(
        _ message: [UInt8], _ number: UInt64, to stream: CallStream,
        _ written: CallStream.Written
    ) {
        if loop.isCurrent { return stream.add(message, number, written) }
        post(.write(stream, message, number, written))
    }

    /// No more messages are sent.
    func finishWrites(of stream: CallStream) {
        if loop.isCurrent { return stream.finish() }
        post(.finish(stream))
    }

    /// A writer's task was cancelled.
    func cancelWrite(_ number: UInt64, of stream: CallStream) {
        post(.cancelWrite(stream, number))
    }

    /// How many items wait for the loop.
    var waitingCount: Int { queue.count }

    private func post(_ item: MailQueue.Item) {
        if queue.add(item) { wake() }
    }

    private func wake() {
        guard !loop.execute(job) else { return }
        // The loop was shut down: there is no connection left, and nobody else will look.
        queue.dismiss()
    }
}

private final class MailQueue: Sendable {
    enum Item: Sendable {
        case submit(PeerConnection, PendingCall)
        case cancel(PeerConnection, PendingCall)
        case finished(ServedCall)
        case shorten(ServedCall, UInt64, Int64)
        case consumed(CallStream, Int)
        case write(CallStream, [UInt8], UInt64, CallStream.Written)
        case finish(CallStream)
        case cancelWrite(CallStream, UInt64)
    }

    private enum Notice {
        /// Nobody knows of any items.
        case none
        /// The loop will be told when a burst of handlers ends.
        case due
        /// The loop was told.
        case given
    }

    private struct State {
        var items: [Item] = []
        /// Kept for its memory.
        var spare: [Item] = []
        var notice = Notice.none
    }

    private let state = Mutex(State())

    /// Whether the loop has to be told.
    func add(_ item: Item) -> Bool {
        state.withLock { state in
            state.items.append(item)
            defer { state.notice = .given }
            return state.notice != .given
        }
    }

    /// Whether somebody has to see to it that the loop is told soon.
    func addToBurst(_ item: Item) -> Bool {
        state.withLock { state in
            state.items.append(item)
            guard state.notice == .none else { return false }
            state.notice = .due
            return true
        }
    }

    /// A burst ends: whether the loop has to be told.
    func announce() -> Bool {
        state.withLock { state in
            guard state.notice == .due else { return false }
            state.notice = .given
            return true
        }
    }

    var count: Int { state.withLock { $0.items.count } }

    private func take() -> [Item] {
        state.withLock { state in
            let taken = state.items
            state.items = state.spare
            state.spare = []
            state.notice = .none
            return taken
        }
    }

    func drain() {
        var items = take()
        for item in items {
            switch item {
            case .submit(let peer, let call): peer.submit(call)
            case .cancel(let peer, let call): peer.cancel(call)
            case .finished(let call): Self.finish(call)
            case .shorten(let call, let number, let deadline):
                Self.shorten(deadline, of: call, number)
            case .consumed(let stream, let cost): stream.peer.consumed(cost, of: stream)
            case .write(let stream, let message, let number, let written):
                stream.add(message, number, written)
            case .finish(let stream): stream.finish()
            case .cancelWrite(let stream, let number): stream.cancelWrite(number)
            }
        }
        items.removeAll(keepingCapacity: items.capacity <= 4_096)
        state.withLock { state in
            if state.spare.capacity == 0 { state.spare = items }
        }
    }

    func dismiss() {
        for item in take() {
            switch item {
            case .submit(_, let call): call.end(PeerConnection.noConnection)
            case .cancel, .shorten, .consumed, .finish, .cancelWrite: break
            case .write(_, _, _, let written):
                // Its call may have run.
                let error = PeerConnection.noConnection
                written.resume(
                    returning: RPCError(error.code, error.message, execution: .unknown))
            case .finished(let call): call.retire()
            }
        }
    }

    static func shorten(_ deadline: Int64, of call: ServedCall, _ number: UInt64) {
        call.peer?.shorten(deadline, of: call, number)
    }

    static func finish(_ call: ServedCall) {
        guard let peer = call.peer else { return call.retire() }
        peer.finished(call)
    }
}
