#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    // Datagram sockets.
    extension EpollDriver {
        func openDatagram(
            on address: SocketAddress, _ configuration: DatagramSocket.Configuration, token: Token
        ) throws(SystemError) -> (SocketHandle, SocketAddress) {
            let (socket, bound) = try Socket.openDatagram(on: address, configuration)
            do {
                try register(socket.rawValue, token, .receive)
            } catch {
                Glibc.close(socket.rawValue)
                throw error
            }
            return (socket, bound)
        }

        func sendDatagrams(
            _ socket: SocketHandle, _ datagrams: UnsafeBufferPointer<OutgoingDatagram>,
            token: Token
        ) -> SendOutcome {
            var count = datagramBatch.send(socket.rawValue, datagrams)
            while count < 0, errno == EINTR {
                count = datagramBatch.send(socket.rawValue, datagrams)
            }
            if count < 0, errno != EAGAIN { return .failed(errno) }
            let sent = max(0, count)
            if sent < datagrams.count {
                // What stopped the batch early, an error or room, the next offer will tell.
                let interest = interests[Int(socket.rawValue)]
                setInterest(socket.rawValue, token, interest.union(.send))
            }
            return .sent(sent)
        }

        func setMembership(
            _ socket: SocketHandle, of group: SocketAddress, interfaceIndex: UInt32, joins: Bool
        ) throws(SystemError) {
            try Socket.setMembership(
                socket.rawValue, of: group, interfaceIndex: interfaceIndex, joins: joins)
        }

        func datagrams(_ ready: UInt32, _ token: Token, _ loop: EventLoop) {
            guard let socket = loop.datagramSocket(for: token) else { return }
            let fd = socket.socket.rawValue
            if ready & EPOLLOUT.rawValue != 0 {
                setInterest(fd, token, interests[Int(fd)].subtracting(.send))
                loop.sendable(token)
            }
            if ready & EPOLLERR.rawValue != 0, loop.descriptor(of: token) == fd {
                let code = Socket.pendingError(fd)
                if code != 0 { loop.failed(code, on: token) }
            }
            guard ready & EPOLLIN.rawValue != 0 else { return }
            receiveDatagrams(socket, fd, token, loop)
        }

        private func receiveDatagrams(
            _ socket: DatagramSocket, _ fd: Int32, _ token: Token, _ loop: EventLoop
        ) {
            let size = socket.configuration.datagramBytesMax
            let info = socket.configuration.packetInfo
            for _ in 0..<loop.configuration.readsPerConnectionMax {
                guard loop.descriptor(of: token) == fd, interests[Int(fd)].contains(.receive)
                else { return }
                let count = datagramBatch.receive(
                    fd, into: loop.receiveBuffer, size: size, info: info)
                guard count >= 0 else {
                    if errno == EINTR { continue }
                    if errno != EAGAIN { loop.failed(errno, on: token) }
                    return
                }
                // The tables are read before a handler may send, which uses them, too.
                let arrivals = (0..<count).map {
                    (datagramBatch.arrival($0), datagramBatch.byteCount($0))
                }
                for (index, (arrival, length)) in arrivals.enumerated() {
                    let start = index * size
                    let bytes = UnsafeMutableRawBufferPointer(
                        rebasing: loop.receiveBuffer[start..<start + min(size, length)])
                    guard loop.receivedDatagram(bytes, arrival, on: token) else { return }
                }
                guard count == min(DatagramQueue.batchMax, loop.receiveBuffer.count / size) else {
                    return
                }
            }
        }
    }
#endif
