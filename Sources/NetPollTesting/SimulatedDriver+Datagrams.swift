package import NetPoll

// Datagram sockets: each datagram travels for itself, may be lost, and may overtake another.
extension SimulatedDriver {
    /// A datagram socket; what arrived waits in it.
    final class DatagramEnd {
        let address: SocketAddress
        let token: Token
        let configuration: DatagramSocket.Configuration
        var arrived: [Datagram] = []
        var isReceiving = true
        var isRefused = false
        /// Sends were refused, and the next turn tells that there is room.
        var awaitsRoom = false

        init(
            address: SocketAddress, token: Token, configuration: DatagramSocket.Configuration
        ) {
            self.address = address
            self.token = token
            self.configuration = configuration
        }
    }

    struct Datagram {
        let bytes: [UInt8]
        let source: SocketAddress
        let destination: SocketAddress
    }

    /// The most datagrams a socket holds unread; further ones are lost, as in a kernel.
    static var unreadDatagramsMax: Int { 256 }

    package func openDatagram(
        on address: SocketAddress, _ configuration: DatagramSocket.Configuration, token: Token
    ) throws(SystemError) -> (SocketHandle, SocketAddress) {
        guard hasFreeDescriptor else {
            throw SystemError(code: Platform.Errno.tooManyFiles, operation: "socket")
        }
        let bound = address.port == 0 ? address.with(port: network.unusedPort()) : address
        guard configuration.sharesPort || network.datagramEnds(at: bound).isEmpty else {
            throw SystemError(code: Platform.Errno.addressInUse, operation: "bind \(bound)")
        }
        let handle = takeHandle()
        datagramEnds[handle] = DatagramEnd(
            address: bound, token: token, configuration: configuration)
        return (SocketHandle(rawValue: handle), bound)
    }

    package func sendDatagrams(
        _ socket: SocketHandle, _ datagrams: UnsafeBufferPointer<OutgoingDatagram>, token: Token
    ) -> SendOutcome {
        guard let sender = datagramEnds[socket.rawValue] else {
            network.fail("send on socket \(socket.rawValue), which is not open")
        }
        for (index, datagram) in datagrams.enumerated() {
            guard let destination = datagram.destination ?? sender.configuration.peer else {
                network.fail("a datagram without a destination")
            }
            if network.random.happens(network.faults.refusedSends) {
                sender.awaitsRoom = datagrams.roomIsTold
                return .sent(index)
            }
            network.noteSend()
            guard !network.random.happens(network.faults.lostDatagrams) else { continue }
            network.travel(
                Datagram(
                    bytes: Array(datagram.bytes), source: sender.address, destination: destination),
                from: sender)
        }
        return .sent(datagrams.count)
    }

    package func setMembership(
        _ socket: SocketHandle, of group: SocketAddress, interfaceIndex: UInt32, joins: Bool
    ) throws(SystemError) {
        guard let end = datagramEnds[socket.rawValue] else { return }
        network.setMembership(end, of: group, joins: joins)
    }

    func deliverDatagrams(to loop: EventLoop) {
        guard !datagramEnds.isEmpty else { return }
        for (handle, end) in datagramEnds.sorted(by: { $0.key < $1.key }) {
            if end.isRefused {
                end.isRefused = false
                loop.failed(Platform.Errno.connectionRefused, on: end.token)
            }
            if end.awaitsRoom {
                end.awaitsRoom = false
                loop.sendable(end.token)
            }
            guard end.isReceiving else { continue }
            let batch = end.arrived
            end.arrived = []
            for (index, datagram) in batch.enumerated() {
                guard datagramEnds[handle] != nil else { break }
                guard end.isReceiving else {
                    end.arrived = Array(batch[index...]) + end.arrived
                    break
                }
                deliver(datagram, to: end, loop)
            }
        }
    }

    private func deliver(_ datagram: Datagram, to end: DatagramEnd, _ loop: EventLoop) {
        let count = min(datagram.bytes.count, end.configuration.datagramBytesMax)
        let bytes = UnsafeMutableRawBufferPointer(rebasing: loop.receiveBuffer[..<count])
        bytes.copyBytes(from: datagram.bytes[..<count])
        let arrival = DatagramArrival(
            source: datagram.source,
            destination: end.configuration.packetInfo ? datagram.destination.with(port: 0) : nil,
            interfaceIndex: end.configuration.packetInfo ? 1 : 0,
            isTruncated: count < datagram.bytes.count)
        _ = loop.receivedDatagram(bytes, arrival, on: end.token)
    }
}

extension Simulation {
    func datagramEnds(at address: SocketAddress) -> [SimulatedDriver.DatagramEnd] {
        drivers.flatMap { $0.datagramEnds.values }.filter { $0.address == address }
    }

    func setMembership(
        _ end: SimulatedDriver.DatagramEnd, of group: SocketAddress, joins: Bool
    ) {
        let group = group.with(port: 0)
        groups[group, default: []].removeAll { $0 === end }
        if joins { groups[group, default: []].append(end) }
    }

    func leaveGroups(_ end: SimulatedDriver.DatagramEnd) {
        for group in groups.keys { groups[group]?.removeAll { $0 === end } }
    }

    func travel(
        _ datagram: SimulatedDriver.Datagram, from sender: SimulatedDriver.DatagramEnd
    ) {
        datagrams.push(drawArrival(), (datagram, sender))
    }

    /// Of sockets that share a port the one that gets all of this source's (SO_REUSEPORT, socket(7)).
    private func sharer(
        of ends: [SimulatedDriver.DatagramEnd], for source: SocketAddress
    ) -> [SimulatedDriver.DatagramEnd] {
        guard ends.count > 1 else { return ends }
        return [ends[Int(source.port ?? 0) % ends.count]]
    }

    /// Puts what has travelled long enough into the sockets it was sent to.
    func landDatagrams() -> Bool {
        var landed = false
        while let (datagram, sender) = datagrams.popDue(now) {
            landed = true
            let members = groups[datagram.destination.with(port: 0)] ?? []
            let ends =
                sharer(of: datagramEnds(at: datagram.destination), for: datagram.source)
                + members.filter { $0.address.port == datagram.destination.port }
            if ends.isEmpty, sender.configuration.peer != nil { sender.isRefused = true }
            for end in ends {
                if let peer = end.configuration.peer, peer != datagram.source { continue }
                guard !isCut(datagram.source, end.address) else { continue }
                guard end.arrived.count < SimulatedDriver.unreadDatagramsMax else { continue }
                end.arrived.append(datagram)
            }
        }
        return landed
    }
}
