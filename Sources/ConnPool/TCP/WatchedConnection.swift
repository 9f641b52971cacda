internal import NetPoll

/// The handler of a pooled connection: hands events on to who uses it, and tells the pool what it
/// has to know.
final class WatchedConnection: ConnectionHandler {
    private let core: AsyncConnectionCore
    private let reporter: ConnectionReporter
    private let tellsUnasked: Bool

    init(_ core: AsyncConnectionCore, _ reporter: ConnectionReporter, tellsUnasked: Bool) {
        self.core = core
        self.reporter = reporter
        self.tellsUnasked = tellsUnasked
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        core.received(&bytes, on: connection)
        // Where a task waited for them it has them, and the lease.
        if tellsUnasked, core.hasUnread { reporter.received() }
    }

    func receivedEnd(on connection: Connection) {
        reporter.closed()
        core.receivedEnd(on: connection)
    }

    func fellBelowLowWatermark(_ connection: Connection) {
        core.fellBelowLowWatermark(connection)
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        reporter.closed()
        core.closed(connection, reason: reason)
    }
}
