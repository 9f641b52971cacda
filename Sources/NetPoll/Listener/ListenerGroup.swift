import Synchronization

/// One listener per loop, all on one port; see ``EventLoopGroup/listen(on:configuration:makeHandler:)``.
public final class ListenerGroup: Sendable {
    private enum Closing {
        case no
        /// With those that wait for its end beside the one who began it.
        case begun([CheckedContinuation<Void, Never>])
        case done
    }

    private let loops: [EventLoop]
    private let listeners: LoopCells<LoopListeners>
    private let bound = Mutex<SocketAddress?>(nil)
    private let closing = Mutex(Closing.no)

    init(loops: [EventLoop]) {
        self.loops = loops
        listeners = LoopCells(loops)
    }

    /// The address all listen on, with the port the kernel chose where 0 was asked for.
    public var address: SocketAddress {
        guard let address = bound.withLock({ $0 }) else {
            preconditionFailure("a listener group before it listens")
        }
        return address
    }

    /// Stops accepting on all loops; accepted connections live on. Returns when it is done, and all
    /// that was accepted has come to its handler, or to the loop that it was placed on; may be called
    /// more than once.
    public func close() async {
        let begins = closing.withLock { closing in
            guard case .no = closing else { return false }
            closing = .begun([])
            return true
        }
        guard begins else { return await closed() }
        await closeAll()
        let waiting: [CheckedContinuation<Void, Never>] = closing.withLock { closing in
            defer { closing = .done }
            guard case .begun(let waiting) = closing else { return [] }
            return waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits until somebody else's ``close()`` is over.
    private func closed() async {
        await withCheckedContinuation { continuation in
            let isDone = closing.withLock { closing in
                guard case .begun(let waiting) = closing else { return true }
                closing = .begun(waiting + [continuation])
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    private func closeAll() async {
        for loop in loops {
            await withCheckedContinuation { continuation in
                let close = { @Sendable [listeners] in
                    let closing = listeners[loop]?.all ?? []
                    listeners[loop] = nil
                    // One that is there for the closing itself, which may be over at once.
                    var left = closing.count + 1
                    let ended = {
                        left -= 1
                        if left == 0 { continuation.resume() }
                    }
                    for listener in closing { listener.close(ended) }
                    ended()
                }
                if loop.isCurrent {
                    close()
                } else if !loop.execute(close) {
                    continuation.resume()
                }
            }
        }
    }

    /// The listening sockets, to be passed to a successor (``Connection/send(descriptor:mark:)``);
    /// open until ``close()``, which does not end a duplicate of them elsewhere.
    public func descriptors() async -> [Int32] {
        var found: [Int32] = []
        for loop in loops {
            found +=
                await loop.run { [listeners] in listeners[loop]?.all.map(\.descriptor) ?? [] } ?? []
        }
        return found
    }

    func add(_ listener: Listener) {
        listeners.value(of: listener.loop) { LoopListeners() }.all.append(listener)
    }

    func setAddress(_ address: SocketAddress) {
        bound.withLock { $0 = address }
    }
}

/// The listeners of a group that are on one loop.
private final class LoopListeners {
    var all: [Listener] = []
}
