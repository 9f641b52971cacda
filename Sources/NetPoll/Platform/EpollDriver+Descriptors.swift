#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    // Passing descriptors over Unix sockets.
    extension EpollDriver {
        /// The most descriptors taken with one receive; the kernel closes further ones.
        private static var descriptorsMax: Int { 16 }

        func sendDescriptor(
            _ socket: SocketHandle, _ descriptor: Int32, mark: UInt8, token: Token
        ) -> SendOutcome {
            var sent: Int32 = -1
            repeat {
                sent = cnetpoll_send_descriptor(socket.rawValue, descriptor, mark)
            } while sent < 0 && errno == EINTR
            if sent >= 0 { return .sent(1) }
            guard errno == EAGAIN else { return .failed(errno) }
            setInterest(socket.rawValue, token, interests[Int(socket.rawValue)].union(.send))
            return .sent(0)
        }

        func receiveDescriptors(_ socket: SocketHandle) {
            interests[Int(socket.rawValue)].insert(.descriptors)
        }

        /// As recv(2), and tells of the descriptors that came.
        func receiveWithDescriptors(_ fd: Int32, _ token: Token, _ loop: EventLoop) -> Int {
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: Self.descriptorsMax) { found in
                var count: Int32 = 0
                let bytes = cnetpoll_receive_descriptors(
                    fd, loop.receiveBuffer.baseAddress, UInt(loop.receiveBuffer.count),
                    found.baseAddress, Int32(Self.descriptorsMax), &count)
                let code = errno
                for index in 0..<Int(count) { loop.receivedDescriptor(found[index], on: token) }
                errno = code
                return bytes
            }
        }
    }
#endif
