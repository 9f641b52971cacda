#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    // Sockets whose readiness is awaited by a poll request, and then served by calls of their own.
    extension UringDriver {
        func becameReadable(_ events: Int32, _ id: RequestID, _ loop: EventLoop) {
            let token = token(id.fd, loop)
            if token.kind == .datagram {
                if events & Int32(POLLERR) != 0 { loop.tellPendingError(id.fd, token) }
                datagramBatch.receiveAll(id.fd, token, loop) { isWanted(id) }
            } else {
                receiveWithDescriptors(id, token, loop)
            }
            if sockets.isLive(id) { armReceive(id.fd) }
        }

        func acceptPolled(_ id: RequestID, _ loop: EventLoop) {
            loop.acceptWaiting(id.fd, token(id.fd, loop)) { isWanted(id) }
        }

        func isWanted(_ id: RequestID) -> Bool {
            sockets.isLive(id) && sockets[id.fd].flags.contains(.wanted)
        }

        // MARK: - Descriptors

        package func sendDescriptor(
            _ socket: SocketHandle, _ descriptor: Int32, mark: UInt8, token: Token
        ) -> SendOutcome {
            outcome(
                Socket.sendDescriptor(socket.rawValue, descriptor, mark: mark), of: 1, socket)
        }

        package func receiveDescriptors(_ socket: SocketHandle) {
            sockets[socket.rawValue].flags.insert(.polled)
            disarm(socket.rawValue, .receive)
        }

        private func receiveWithDescriptors(_ id: RequestID, _ token: Token, _ loop: EventLoop) {
            for _ in 0..<loop.configuration.readsPerConnectionMax {
                // What an earlier multishot receive brought after a pause comes first.
                guard isWanted(id), sockets[id.fd].flags.isDisjoint(with: .stashed) else { return }
                let count = Socket.receiveWithDescriptors(id.fd, token, loop)
                if count > 0 {
                    // A handler that was given a descriptor may have closed the connection.
                    guard sockets.isLive(id) else { return }
                    let bytes = UnsafeMutableRawBufferPointer(
                        rebasing: loop.receiveBuffer[..<count])
                    guard loop.received(bytes, on: token) else { return }
                } else if count == 0 {
                    sockets[id.fd].flags.insert(.ended)
                    deliverEnd(id, loop)
                    return
                } else if errno != EINTR {
                    if errno != EAGAIN { loop.failed(errno, on: token) }
                    return
                }
            }
        }

        // MARK: - Datagrams

        package func openDatagram(
            on address: SocketAddress, _ configuration: DatagramSocket.Configuration, token: Token
        ) throws(SystemError) -> (SocketHandle, SocketAddress) {
            let (socket, bound) = try Socket.openDatagram(on: address, configuration)
            sockets.open(socket.rawValue, token, [.wanted, .polled])
            armReceive(socket.rawValue)
            return (socket, bound)
        }

        package func sendDatagrams(
            _ socket: SocketHandle, _ datagrams: UnsafeBufferPointer<OutgoingDatagram>,
            token: Token
        ) -> SendOutcome {
            let sent = datagramBatch.send(socket.rawValue, datagrams)
            return outcome(sent, of: datagrams.roomIsTold ? datagrams.count : sent, socket)
        }
    }
#endif
