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

extension UnsafeBufferPointer<OutgoingDatagram> {
    /// Whether a kernel tells when it takes more of these, after it took only some: not where they
    /// name a Unix receiver each. A full one does not end the sender's writability (unix(7)).
    package var roomIsTold: Bool {
        if case .unix = first?.destination { return false }
        return true
    }
}

extension Driver {
    /// Membership is the socket's own, whatever the driver.
    package func setMembership(
        _ socket: SocketHandle, of group: SocketAddress, interfaceIndex: UInt32, joins: Bool
    ) throws(SystemError) {
        try Socket.setMembership(
            socket.rawValue, of: group, interfaceIndex: interfaceIndex, joins: joins)
    }
}
