/// A socket as a driver knows it: a descriptor, or a simulated one.
package struct SocketHandle: Hashable, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }
}

/// A run of bytes to send; laid out as `struct iovec` (readv(2)).
package struct Segment {
    package let base: UnsafeRawPointer
    package let count: Int

    package init(base: UnsafeRawPointer, count: Int) {
        self.base = base
        self.count = count
    }
}

/// What became of one ``Driver/send(_:_:token:)``.
package enum SendOutcome: Equatable {
    /// The kernel took this many bytes. Where that is fewer than were offered, the driver calls
    /// ``EventLoop/sendable(_:)`` once it takes more.
    case sent(Int)
    /// The connection is broken, with this `errno`.
    case failed(Int32)
}

/// A listening socket's settings.
package struct ListenOptions: Sendable {
    package var backlog: Int32
    /// Other listeners of the same group will share the address (SO_REUSEPORT, socket(7)).
    package var sharesPort: Bool
    /// The address is already held by the group's first listener.
    package var joinsShared: Bool
    /// Its accepts have a rate: no connection is accepted before the loop asked for it.
    package var isRated: Bool
    /// Options that accepted sockets get.
    package var socket: SocketOptions

    package init(
        backlog: Int32, sharesPort: Bool, joinsShared: Bool, isRated: Bool = false,
        socket: SocketOptions = .init()
    ) {
        self.backlog = backlog
        self.isRated = isRated
        self.socket = socket
        self.sharesPort = sharesPort
        self.joinsShared = joinsShared
    }
}

/// An outgoing socket's settings.
package struct ConnectOptions: Sendable {
    package var localAddress: SocketAddress?
    package var socket: SocketOptions

    package init(localAddress: SocketAddress?, socket: SocketOptions) {
        self.localAddress = localAddress
        self.socket = socket
    }
}

/// Wakes a driver that waits; the one part of it that other threads use.
package protocol Waker: Sendable {
    func wake()
}

/// The kernel's side of one ``EventLoop``.
///
/// Its surface is completion-shaped: a loop says *accept here*, *receive here*, *send this*, and
/// is told *this was accepted*, *these bytes arrived in this buffer*, *this much was sent*. Whether
/// the driver learns so by readiness (epoll) or by completion is its own affair.
///
/// All but ``waker`` is used on the loop's thread only. Events are delivered by calling the loop's
/// `accepted`, `received`, `receivedEnd`, `sendable`, `failed`, `acceptFailed`, `connected` and
/// `connectFailed`.
package protocol Driver: AnyObject {
    var waker: any Waker { get }

    /// The present of the driver's clock.
    func now() -> Instant

    /// Waits for events until `deadline` (`nil`: for ever; a past one: not at all).
    func wait(until deadline: Instant?) throws(SystemError)

    /// Hands the kernel now what else the next wait would: closes may be among it.
    func submit()

    /// The loop is at its end: closes what was accepted and will not be reported any more.
    func closeUnreported()

    /// Delivers to `loop` what ``wait(until:)`` found, within the loop's bounds per turn.
    func deliver(to loop: EventLoop)

    /// Opens a listening socket and starts accepting.
    func listen(
        on address: SocketAddress, _ options: ListenOptions, token: Token
    ) throws(SystemError) -> (SocketHandle, SocketAddress)

    /// Starts accepting on a socket that listens already, and is this driver's from here on.
    func adoptListener(
        _ socket: SocketHandle, _ options: ListenOptions, token: Token
    ) throws(SystemError)

    /// Stops or resumes accepting without closing the socket.
    func setAccepting(_ accepting: Bool, _ socket: SocketHandle, token: Token)

    /// Closes a listening socket; its address is free when this returns, unless another listens on a
    /// duplicate.
    ///
    /// - Returns: Whether that is all. Where it is not, connections that the kernel had accepted
    ///   already are still delivered, and ``EventLoop/acceptsEnded(_:)`` is called after the last.
    func closeListener(_ socket: SocketHandle, token: Token) -> Bool

    /// Takes one waiting connection off the listener and closes it at once, although descriptors
    /// are exhausted; `false` where none could be taken.
    func shed(_ socket: SocketHandle) -> Bool

    /// Opens a socket and starts connecting it. Its end is told later, never from within the call,
    /// with ``EventLoop/connected(_:)`` or ``EventLoop/connectFailed(_:on:)``; the loop then adopts
    /// the socket under another token, or closes it. It may close it before, too.
    func connect(
        to address: SocketAddress, _ options: ConnectOptions, token: Token
    ) throws(SystemError) -> SocketHandle

    /// Registers an accepted or connected socket and starts receiving.
    func adopt(_ socket: SocketHandle, token: Token) throws(SystemError)

    /// Opens a datagram socket and starts receiving. What arrives is delivered by
    /// ``EventLoop/receivedDatagram(_:_:on:)``, errors and room as for connections.
    func openDatagram(
        on address: SocketAddress, _ configuration: DatagramSocket.Configuration, token: Token
    ) throws(SystemError) -> (SocketHandle, SocketAddress)

    /// Offers datagrams to the kernel without waiting.
    ///
    /// - Returns: How many it took; where that is fewer than were offered, the driver calls
    ///   ``EventLoop/sendable(_:)`` once it takes more; not where no kernel tells (`roomIsTold`).
    ///   A failure is the first one's.
    func sendDatagrams(
        _ socket: SocketHandle, _ datagrams: UnsafeBufferPointer<OutgoingDatagram>, token: Token
    ) -> SendOutcome

    /// Joins or leaves a multicast group.
    func setMembership(
        _ socket: SocketHandle, of group: SocketAddress, interfaceIndex: UInt32, joins: Bool
    ) throws(SystemError)

    /// Stops or resumes receiving.
    func setReceiving(_ receiving: Bool, _ socket: SocketHandle, token: Token)

    /// Offers bytes to the kernel without waiting. The segments need to live for the call only.
    func send(
        _ socket: SocketHandle, _ segments: UnsafeBufferPointer<Segment>, token: Token
    ) -> SendOutcome

    /// Offers a file's bytes to the kernel without waiting; may take fewer than there is room for,
    /// and then calls ``EventLoop/sendable(_:)`` as after a short send. A file that ends before
    /// `count` bytes fails.
    func sendFile(
        _ socket: SocketHandle, _ descriptor: Int32, offset: Int, count: Int, token: Token
    ) -> SendOutcome

    /// Passes a descriptor with one byte over a Unix socket; sends that byte or nothing.
    func sendDescriptor(
        _ socket: SocketHandle, _ descriptor: Int32, mark: UInt8, token: Token
    ) -> SendOutcome

    /// Receives descriptors from now on, told by ``EventLoop/receivedDescriptor(_:on:)``.
    func receiveDescriptors(_ socket: SocketHandle)

    /// Another loop will adopt this socket, just accepted and not yet adopted.
    func release(_ socket: SocketHandle)

    /// Sends end-of-file after what was sent (shutdown(2), SHUT_WR).
    func shutdownSend(_ socket: SocketHandle)

    /// Closes the socket; with `reset` the peer sees RST and unsent bytes are dropped.
    func close(_ socket: SocketHandle, reset: Bool)
}

extension Driver {
    // Most drivers keep nothing back.
    package func submit() {}

    // Most drivers report what they accept at once.
    package func closeUnreported() {}

    /// Most drivers deliver what they accept at once.
    package func closeListener(_ socket: SocketHandle, token: Token) -> Bool {
        close(socket, reset: false)
        return true
    }

    /// Descriptors belong to the process, so there is nothing to do.
    package func release(_ socket: SocketHandle) {}
}
