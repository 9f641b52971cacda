extension EventLoop {
    /// Sends `bytes` in this moment rather than when the turn ends, for one who gives the same to many connections
    /// and nothing more to them in this turn: so each is looked at once, and nothing is copied.
    ///
    /// - Returns: `false`, and nothing is done, where the turn gathered something for the connection or something
    ///   else waits there: then it has to be written as usual.
    func sendAtOnce(
        _ bytes: UnsafeRawBufferPointer, keptAliveBy owner: AnyObject, to connection: Connection
    ) -> Bool {
        guard connection.gathered == GatherBuffer.none, connection.cold == nil, connection.isOpen,
            let base = bytes.baseAddress,
            bytes.count <= connection.settings.limits.sendQueueBytesMax
        else { return false }
        segments[0] = Segment(base: base, count: bytes.count)
        counters.sends += 1
        switch driver.send(
            connection.socket, UnsafeBufferPointer(rebasing: segments[..<1]),
            token: connection.token)
        {
        case .sent(let sent):
            if sent > 0 { connection.noteSent() }
            guard sent < bytes.count else { return true }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
            if rest.count >= Self.referenceBytesMin {
                connection.coldState.queue.append(
                    Segment(base: base + sent, count: rest.count), retained: .passRetained(owner))
            } else {
                connection.coldState.queue.append(copying: rest)
            }
            _ = rose(connection)
        case .failed(let errno):
            terminate(connection, reason(ofBroken: errno))
        }
        return true
    }
}
