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
            let sent = datagramBatch.send(socket.rawValue, datagrams)
            let awaited = datagrams.roomIsTold ? datagrams.count : sent
            return outcome(sent, of: awaited, socket, token)
        }

        func datagrams(_ ready: UInt32, _ fd: Int32, _ token: Token, _ loop: EventLoop) {
            if ready & EPOLLOUT.rawValue != 0 {
                setInterest(fd, token, interests[Int(fd)].subtracting(.send))
                loop.sendable(token)
            }
            if ready & EPOLLERR.rawValue != 0, loop.descriptor(of: token) == fd {
                loop.tellPendingError(fd, token)
            }
            guard ready & EPOLLIN.rawValue != 0 else { return }
            datagramBatch.receiveAll(fd, token, loop) {
                interests[Int(fd)].contains(.receive)
            }
        }
    }
#endif
