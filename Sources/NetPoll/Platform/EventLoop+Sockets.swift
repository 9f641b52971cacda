internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#endif

// What drivers that are told of readiness do with a ready socket, all in the same way.
extension EventLoop {
    /// Accepts what waits, no more than the listener may in this turn.
    func acceptWaiting(_ listening: Int32, _ token: Token, while isWanted: () -> Bool) {
        var budget = acceptBudget(token)
        while budget > 0, descriptor(of: token) == listening, isWanted() {
            budget -= 1
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let fd = cnetpoll_accept(listening, &storage, &length)
            if fd >= 0 {
                let address = Platform.address(from: storage, length: length)
                accepted(SocketHandle(rawValue: fd), from: address, on: token)
                continue
            }
            let code = errno
            if code == EAGAIN { return }
            if code == EINTR { continue }
            acceptFailed(code, on: token)
            if Platform.isExhaustion(code) { return }
        }
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
