import Synchronization

/// One listener per loop, all on one port; see ``EventLoopGroup/listen(on:configuration:makeHandler:)``.
public final class ListenerGroup: Sendable {
    /// A loop's listener; only that loop touches it.
    ///
    /// `@unchecked Sendable`: written once by `add` on the loop, read by jobs on the same loop.
    private final class Place: @unchecked Sendable {
        var listener: Listener?
    }

    private let loops: [EventLoop]
    private let places: [Place]
    private let bound = Mutex<SocketAddress?>(nil)

    init(loops: [EventLoop]) {
        self.loops = loops
        places = loops.map { _ in Place() }
    }

    /// The address all listen on, with the port the kernel chose where 0 was asked for.
    public var address: SocketAddress {
        guard let address = bound.withLock({ $0 }) else {
            preconditionFailure("a listener group before it listens")
        }
        return address
    }

    /// Stops accepting on all loops; accepted connections live on. Returns when it is done.
    public func close() async {
        for (loop, place) in zip(loops, places) {
            await loop.run {
                place.listener?.close()
                place.listener = nil
            }
        }
    }

    func add(_ listener: Listener) {
        places[listener.loop.index].listener = listener
    }

    func setAddress(_ address: SocketAddress) {
        bound.withLock { $0 = address }
    }
}
