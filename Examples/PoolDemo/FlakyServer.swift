import NetPoll
import Synchronization

/// Sends back what it gets, but for now and then: then it resets the connection. May be killed.
final class FlakyServer: Sendable {
    private struct State: Sendable {
        var group: EventLoopGroup?
    }

    private let resetsPerThousand: Int
    private let state = Mutex(State())

    init(resetsPerThousand: Int) {
        self.resetsPerThousand = resetsPerThousand
    }

    /// Starts on a port of the system's choice, or on `address`.
    @discardableResult
    func start(on address: SocketAddress? = nil) async throws -> SocketAddress {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let group = try EventLoopGroup(configuration: configuration)
        let resets = resetsPerThousand
        let listener = try await group.listen(
            on: address ?? SocketAddress(host: "127.0.0.1", port: 0)
        ) { _, _ in FlakyEcho(resetsPerThousand: resets) }
        state.withLock { $0.group = group }
        return listener.address
    }

    func stop() async {
        let group = state.withLock { state in
            defer { state.group = nil }
            return state.group
        }
        await group?.shutdown()
    }

    /// Kills the server, leaves its port empty for a moment and starts another.
    func restart(on address: SocketAddress) async throws {
        await stop()
        try await Task.sleep(for: .milliseconds(300))
        try await start(on: address)
    }
}

/// One connection of a ``FlakyServer``.
private final class FlakyEcho: ConnectionHandler {
    private let resetsPerThousand: Int

    init(resetsPerThousand: Int) {
        self.resetsPerThousand = resetsPerThousand
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        if Int.random(in: 0..<1_000) < resetsPerThousand {
            connection.abort()
        } else {
            connection.write(bytes.bytes)
        }
    }
}
