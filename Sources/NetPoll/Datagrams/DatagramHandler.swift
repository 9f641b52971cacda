/// Receives a datagram socket's events, on its loop.
public protocol DatagramHandler: AnyObject {
    /// A datagram arrived. Its bytes are lent for the call and may be changed in place.
    func received(
        _ bytes: inout MutableRawSpan, _ arrival: DatagramArrival, on socket: DatagramSocket)

    /// The queue of datagrams is empty again after one was refused that there may be room for now.
    func drained(_ socket: DatagramSocket)

    /// The kernel reported an error: of a connected socket for example that nobody listens there
    /// (ECONNREFUSED, from ICMP). The socket stays open; the datagram it is about is lost. On kqueue
    /// ENOMEM may say that reading could not go on: it is paused then.
    func failed(_ error: SystemError, on socket: DatagramSocket)
}

extension DatagramHandler {
    public func drained(_ socket: DatagramSocket) {}
    public func failed(_ error: SystemError, on socket: DatagramSocket) {}
}

/// Where a datagram came from and where it arrived.
public struct DatagramArrival: Hashable, Sendable {
    /// The sender.
    public let source: SocketAddress

    /// The address it was sent to, with port 0, and the interface's index; `nil` unless
    /// ``DatagramSocket/Configuration/packetInfo`` asks for it.
    public let destination: SocketAddress?
    public let interfaceIndex: UInt32

    /// Whether it was longer than ``DatagramSocket/Configuration/datagramBytesMax`` and was cut.
    public let isTruncated: Bool

    package init(
        source: SocketAddress, destination: SocketAddress? = nil, interfaceIndex: UInt32 = 0,
        isTruncated: Bool = false
    ) {
        self.source = source
        self.destination = destination
        self.interfaceIndex = interfaceIndex
        self.isTruncated = isTruncated
    }
}
