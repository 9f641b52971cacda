internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

// What drivers that are told of readiness do with a ready socket, all in the same way.
extension EventLoop {
    /// Accepts what waits, no more than the listener may in this turn.
    func acceptWaiting(_ listening: Int32, _ token: Token, while isWanted: () -> Bool) {
        let budget = acceptBatch(token)
        var taken = 0
        while taken < budget, descriptor(of: token) == listening, isWanted() {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let fd = cnetpoll_accept(listening, &storage, &length)
            if fd >= 0 {
                taken += 1
                let address = Platform.address(from: storage, length: length)
                accepted(SocketHandle(rawValue: fd), from: address, on: token)
                continue
            }
            let code = errno
            if code == EINTR { continue }
            if code == EAGAIN {
                acceptedBatch(taken, foundNone: true, on: token)
                return
            }
            acceptFailed(code, on: token)
            if Platform.isExhaustion(code) { return }
            taken += 1
        }
        acceptedBatch(taken, foundNone: false, on: token)
    }

    /// Tells how a connect ended: its socket became writable, or broke.
    func finishConnect(_ fd: Int32, _ token: Token) {
        let code = Socket.pendingError(fd)
        if code == 0 {
            connected(token)
        } else {
            connectFailed(code, on: token)
        }
    }

    /// A datagram socket's pending error, if there is one.
    func tellPendingError(_ fd: Int32, _ token: Token) {
        let code = Socket.pendingError(fd)
        if code != 0 { failed(code, on: token) }
    }
}
