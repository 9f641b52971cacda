/// A datagram to send; its bytes live for the call only.
package struct OutgoingDatagram {
    package let bytes: UnsafeRawBufferPointer
    /// `nil` on a connected socket.
    package let destination: SocketAddress?

    package init(bytes: UnsafeRawBufferPointer, destination: SocketAddress?) {
        self.bytes = bytes
        self.destination = destination
    }
}

/// What drivers do for datagram sockets, beside receiving, pausing and closing as for any other.
/// What arrives is delivered by ``EventLoop/receivedDatagram(_:_:on:)``, errors and room as for
/// connections.
extension Driver {
    /// Opens a datagram socket and starts receiving.
    package func openDatagram(
        on address: SocketAddress, _ configuration: DatagramSocket.Configuration, token: Token
    ) throws(SystemError) -> (SocketHandle, SocketAddress) {
        throw Platform.unsupportedError("datagrams with this driver")
    }

    /// Offers datagrams to the kernel without waiting.
    ///
    /// - Returns: How many it took; where that is fewer than were offered, the driver calls
    ///   ``EventLoop/sendable(_:)`` once it takes more. A failure is the first one's.
    package func sendDatagrams(
        _ socket: SocketHandle, _ datagrams: UnsafeBufferPointer<OutgoingDatagram>, token: Token
    ) -> SendOutcome {
        preconditionFailure("datagrams on a driver that opened no socket for them")
    }

    package func setMembership(
        _ socket: SocketHandle, of group: SocketAddress, interfaceIndex: UInt32, joins: Bool
    ) throws(SystemError) {
        throw Platform.unsupportedError("multicast with this driver")
    }
}
