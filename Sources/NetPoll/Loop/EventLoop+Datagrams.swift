// Datagram sockets.
extension EventLoop {
    /// Opens a datagram socket on `address`: UDP for an IP address, with port 0 for one the kernel
    /// chooses; a Unix path for a Unix socket.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE.
    public func openDatagramSocket(
        on address: SocketAddress, configuration: DatagramSocket.Configuration = .init(),
        handler: any DatagramHandler
    ) throws(SystemError) -> DatagramSocket {
        checkCurrent()
        precondition(
            (1...65_536).contains(configuration.datagramBytesMax)
                && configuration.datagramBytesMax <= self.configuration.receiveBufferBytes,
            "datagrams of \(configuration.datagramBytesMax) bytes")
        guard !isStopped else {
            throw Platform.cancelledError("open a datagram socket on a loop that was shut down")
        }
        let token = slots.reserveToken(kind: .datagram)
        let (socket, bound) = try driver.openDatagram(on: address, configuration, token: token)
        let datagrams = DatagramSocket(
            loop: self, token: token, socket: socket, address: bound, configuration: configuration,
            handler: handler)
        slots.insert(datagrams, at: token)
        return datagrams
    }

    package func datagramSocket(for token: Token) -> DatagramSocket? {
        guard token.kind == .datagram, let object = slots.object(token) else { return nil }
        return object.takeUnretainedValue() as? DatagramSocket
    }

    /// A datagram arrived.
    ///
    /// - Returns: Whether the socket is still open.
    package func receivedDatagram(
        _ bytes: UnsafeMutableRawBufferPointer, _ arrival: DatagramArrival, on token: Token
    ) -> Bool {
        counters.events += 1
        guard let socket = datagramSocket(for: token) else {
            counters.staleEvents += 1
            return false
        }
        counters.receives += 1
        // The memory is the loop's receive buffer, of which nothing else uses this part.
        var span = MutableRawSpan(_unsafeBytes: bytes)
        socket.handler.received(&span, arrival, on: socket)
        return slots.object(token) != nil
    }
}
