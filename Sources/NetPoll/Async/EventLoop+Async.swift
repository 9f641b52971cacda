import Synchronization

extension EventLoopGroup {
    /// Listens on `address` for tasks; see ``AsyncListener``, and ``ListenerGroup/Balancing`` for
    /// which loop gets a connection.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE or EACCES; then nothing listens.
    public func listen(
        on address: SocketAddress, configuration: Listener.Configuration = .init()
    ) async throws(SystemError) -> AsyncListener {
        try await listenForTasks([.address(address)], configuration)
    }

    /// Accepts for tasks on sockets that listen already; see
    /// ``listen(adopting:configuration:makeHandler:)``.
    ///
    /// - Throws: ``SystemError``: EBADF, ENOTSOCK, or EINVAL where one is no listening stream socket;
    ///   then nothing listens, and what was taken over before is closed.
    public func listen(
        adopting descriptors: [Int32], configuration: Listener.Configuration = .init()
    ) async throws(SystemError) -> AsyncListener {
        try await listenForTasks(descriptors.map { .descriptor($0) }, configuration)
    }

    private func listenForTasks(
        _ sources: [ListenPlace.Source], _ configuration: Listener.Configuration
    ) async throws(SystemError) -> AsyncListener {
        let (queue, openListeners) = (AcceptQueue.forTasks, OpenListeners())
        let seats = Mutex<[ListenerSeat]>([])
        do throws(SystemError) {
            let bound = try await listenOnLoops(sources, configuration.balancing) {
                loop, place throws(SystemError) in
                let seat = ListenerSeat(loop: loop, queue: queue, openListeners: openListeners)
                let address = try seat.listen(place, configuration)
                seats.withLock { $0.append(seat) }
                return address
            }
            return AsyncListener(address: bound, queue: queue, seats: seats.withLock { $0 })
        } catch {
            for seat in seats.withLock({ $0 }) { seat.close() }
            throw error
        }
    }
}

extension EventLoop {
    /// Listens on `address` on this loop, for tasks; see ``AsyncListener``.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE or EACCES.
    public func listenForTasks(
        on address: SocketAddress, configuration: Listener.Configuration = .init()
    ) throws(SystemError) -> AsyncListener {
        let (queue, openListeners) = (AcceptQueue.forTasks, OpenListeners())
        let seat = ListenerSeat(loop: self, queue: queue, openListeners: openListeners)
        let bound = try seat.listen(ListenPlace(source: .address(address)), configuration)
        return AsyncListener(address: bound, queue: queue, seats: [seat])
    }
}

extension AcceptQueue<AsyncConnection> {
    /// A queue of connections, which aborts those that nobody takes.
    fileprivate static var forTasks: AcceptQueue { AcceptQueue { $0.abort() } }
}
