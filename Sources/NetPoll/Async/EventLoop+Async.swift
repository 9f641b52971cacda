extension EventLoopGroup {
    /// Listens on `address` for tasks; see ``AsyncListener``, and ``ListenerGroup/Balancing`` for
    /// which loop gets a connection.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE or EACCES; then nothing listens.
    public func listen(
        on address: SocketAddress, configuration: Listener.Configuration = .init()
    ) async throws(SystemError) -> AsyncListener {
        let (queue, openListeners) = (AcceptQueue<AsyncConnection>(), OpenListeners())
        var seats: [ListenerSeat] = []
        var bound = address
        let isShared =
            loops.count > 1 && configuration.balancing == .kernel && address.port != nil
        for loop in isShared ? loops : Array(loops[..<1]) {
            let seat = ListenerSeat(loop: loop, queue: queue, openListeners: openListeners)
            let target = bound
            let result: Result<SocketAddress, SystemError>? = await loop.run { [loops] in
                do throws(SystemError) {
                    return .success(
                        try seat.listen(
                            on: target, configuration, sharesPort: isShared,
                            targets: isShared || loops.count == 1 ? nil : loops))
                } catch {
                    return .failure(error)
                }
            }
            switch result {
            case .success(let address):
                bound = address
                seats.append(seat)
                continue
            case .failure(let error):
                for seat in seats { seat.close() }
                throw error
            case nil:
                for seat in seats { seat.close() }
                throw SystemError(
                    code: Platform.Errno.cancelled, operation: "listen on a loop that was shut down"
                )
            }
        }
        return AsyncListener(address: bound, queue: queue, seats: seats)
    }
}

extension EventLoop {
    /// Listens on `address` on this loop, for tasks; see ``AsyncListener``.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE or EACCES.
    public func listenForTasks(
        on address: SocketAddress, configuration: Listener.Configuration = .init()
    ) throws(SystemError) -> AsyncListener {
        let (queue, openListeners) = (AcceptQueue<AsyncConnection>(), OpenListeners())
        let seat = ListenerSeat(loop: self, queue: queue, openListeners: openListeners)
        let bound = try seat.listen(on: address, configuration, sharesPort: false, targets: nil)
        return AsyncListener(address: bound, queue: queue, seats: [seat])
    }
}
