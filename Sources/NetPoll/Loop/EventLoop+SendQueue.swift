// The queue of what the kernel did not take, and files, which always pass through it.
extension EventLoop {
    func send(
        _ file: OpenFile, offset: Int, count: Int, mark: UInt8? = nil, to connection: Connection
    ) -> WriteOutcome {
        checkCurrent()
        guard connection.isOpen else { return .closed }
        guard count > 0 else { return outcome(connection) }
        flush(connection)
        guard connection.state == .open else { return .closed }
        if let cold = connection.cold, cold.queue.files >= Connection.filesQueuedMax {
            return .refused
        }
        let wasBlocked = isBlocked(connection)
        connection.coldState.queue.append(
            .init(descriptor: file.descriptor, offset: offset, count: count, mark: mark),
            retained: .passRetained(file))
        if !wasBlocked { sendQueued(connection) }
        guard connection.state == .open else { return .closed }
        return isBlocked(connection) ? rose(connection) : outcome(connection)
    }

    /// Sends from the queue, after the kernel reported room, until it takes no more.
    func sendQueued(_ connection: Connection) {
        guard let cold = connection.cold, !cold.queue.isEmpty else { return }
        var hasRoom = true
        while hasRoom, !cold.queue.isEmpty {
            guard let took = offerFirst(cold, connection) else { return }
            if took.count > 0 {
                connection.noteSent()
                if cold.stalledSince != nil { cold.stalledSince = nowMilliseconds }
            }
            hasRoom = took.isAll
        }
        if cold.queue.isEmpty {
            cold.stalledSince = nil
            if cold.closeTimer == nil { connection.cold = nil }
        }
        if connection.flags.contains(.aboveHigh), cold.queue.files == 0,
            connection.queuedBytes <= connection.settings.limits.lowWatermark
        {
            connection.flags.remove(.aboveHigh)
            tellFallen(connection)
        }
        finishWriting(connection)
    }

    /// Tells a connection's handler that its queue fell to the low watermark, where it was told of the
    /// rise or a write was answered with it.
    private func tellFallen(_ connection: Connection) {
        if connection.flags.contains(.risenPending), !connection.flags.contains(.highTold) {
            // It rose in this very turn, whose end would have told so: the two are told in their order.
            tellRise(connection)
        }
        guard connection.flags.contains(.highTold) else { return }
        connection.flags.remove(.highTold)
        if connection.state == .open { connection.handler.fellBelowLowWatermark(connection) }
    }

    /// Offers what stands first to the kernel; `nil` where that ended the connection.
    private func offerFirst(
        _ cold: Connection.Cold, _ connection: Connection
    ) -> (count: Int, isAll: Bool)? {
        counters.sends += 1
        let outcome: SendOutcome
        let offered: Int
        let file = cold.queue.firstFile
        if let file, let mark = file.mark {
            offered = 1
            outcome = driver.sendDescriptor(
                connection.socket, file.descriptor, mark: mark, token: connection.token)
        } else if let file {
            offered = file.count
            outcome = driver.sendFile(
                connection.socket, file.descriptor, offset: file.offset, count: file.count,
                token: connection.token)
        } else {
            let count = cold.queue.fill(segments)
            let offer = UnsafeBufferPointer(rebasing: segments[..<count])
            offered = offer.reduce(0) { $0 + $1.count }
            outcome = driver.send(connection.socket, offer, token: connection.token)
        }
        switch outcome {
        case .sent(let sent):
            if file == nil {
                cold.queue.consume(sent, &released)
            } else {
                cold.queue.consumeFile(sent)
            }
            return (sent, sent == offered)
        case .failed(let errno):
            terminate(connection, reason(ofBroken: errno))
            return nil
        }
    }
}
