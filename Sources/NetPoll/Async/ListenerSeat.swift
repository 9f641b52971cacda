/// One loop's listener of an ``AsyncListener``.
///
/// `@unchecked Sendable`: the listener is set and used on its loop only.
final class ListenerSeat: @unchecked Sendable {
    let loop: EventLoop
    private var listener: Listener?
    private let queue: AcceptQueue<AsyncConnection>
    private let openListeners: OpenListeners

    init(
        loop: EventLoop, queue: AcceptQueue<AsyncConnection>, openListeners: OpenListeners
    ) {
        self.loop = loop
        self.queue = queue
        self.openListeners = openListeners
    }

    /// Listens, on the loop.
    func listen(
        _ place: ListenPlace, _ configuration: Listener.Configuration
    ) throws(SystemError) -> SocketAddress {
        var configuration = configuration
        configuration.limits.leaveRoomForTasks()
        let listener = try loop.listen(place, configuration) { [self] connection, peer in
            // Another loop runs this where one accepts for all.
            let core = AsyncConnectionCore(connection, from: peer)
            if queue.push(AsyncConnection(core)) { hold() }
            return core
        }
        openListeners.opened()
        let others = (listener.targets ?? []).map(\.loop).filter { $0 !== loop }
        listener.onClose = { [self] in
            // The listener's closure holds this seat.
            self.listener = nil
            // What was handed to another loop comes there before what is posted now.
            for other in others {
                openListeners.opened()
                // Weak, as in ``close()``: who iterates holds this seat.
                if !other.execute({ [weak self] in self?.ended() }) { ended() }
            }
            ended()
        }
        self.listener = listener
        return listener.address
    }

    private func ended() {
        if openListeners.closed() { queue.finish() }
    }

    func close() {
        if loop.isCurrent {
            listener?.close()
        } else {
            // An open listener holds its seat; a job that holds it too would keep a loop alive that
            // runs no more.
            loop.execute { [weak self] in self?.listener?.close() }
        }
    }

    /// Lets the listener accept again.
    func release() {
        loop.execute { self.listener?.setHeld(self.queue.isHeld) }
    }

    private func hold() {
        if loop.isCurrent {
            listener?.setHeld(true)
        } else {
            // All may have been taken before this runs, and the release have come first.
            loop.execute { self.listener?.setHeld(self.queue.isHeld) }
        }
    }
}
