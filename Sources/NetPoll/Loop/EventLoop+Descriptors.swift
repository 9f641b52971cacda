// Descriptors passed over Unix connections (SCM_RIGHTS, unix(7)).
extension Connection {
    /// Passes a duplicate of `descriptor` to the peer of a Unix connection, in order with what is
    /// written. It travels with one byte, `mark`, which the peer receives in its stream.
    ///
    /// Waits and is bounded as a file is (``filesQueuedMax``). On other connections the connection
    /// fails with EOPNOTSUPP. Datagram sockets pass no descriptors, not even Unix ones.
    ///
    /// - Throws: ``SystemError`` where `descriptor` is not open, or descriptors are exhausted.
    @discardableResult
    public func send(descriptor: Int32, mark: UInt8 = 0) throws(SystemError) -> WriteOutcome {
        let copy = try OpenFile(duplicating: descriptor)
        return loop.send(copy, offset: 0, count: 1, mark: mark, to: self)
    }

    /// Receives descriptors that the peer passes, from now on; before, the kernel drops them. At
    /// most 16 come with one byte.
    public func receiveDescriptors() {
        loop.checkCurrent()
        guard state == .open else { return }
        loop.driver.receiveDescriptors(socket)
    }
}

extension EventLoop {
    /// A descriptor arrived; it is the loop's from here on.
    package func receivedDescriptor(_ descriptor: Int32, on token: Token) {
        let passed = PassedDescriptor(descriptor)
        guard let connection = connection(for: token)?.takeUnretainedValue(),
            connection.state == .open
        else { return }
        connection.handler.receivedDescriptor(passed, on: connection)
    }
}
