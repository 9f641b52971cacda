package import NetPoll
internal import Synchronization

/// Sends back what it receives, in one of the two ways to use a loop.
package final class EchoServer {
    /// The two ways.
    package enum Style: String, CaseIterable, Sendable {
        case handler
        case task
    }

    /// Where it listens.
    package let address: SocketAddress

    private let task: Task<Void, Never>?
    private let strayed = Strayed()

    /// How often a task found itself on another thread than its loop's.
    package var strays: Int { strayed.count.load(ordering: .relaxed) }

    /// - Throws: ``SystemError``.
    package init(_ style: Style, on loop: EventLoop) throws {
        let place = SocketAddress.v4(UInt32(0x7f00_0001).bigEndian, port: 0)
        switch style {
        case .handler:
            address = try loop.listen(on: place) { _, _ in Echo() }.address
            task = nil
        case .task:
            let listener = try loop.listenForTasks(on: place)
            address = listener.address
            task = Task(executorPreference: loop) { [strayed] in
                await listener.serve { connection in
                    for try await bytes in connection.inbound {
                        if !loop.isCurrent { strayed.count.add(1, ordering: .relaxed) }
                        try await connection.write(bytes)
                    }
                }
            }
        }
    }

    deinit { task?.cancel() }

    private final class Strayed: Sendable {
        let count = Atomic(0)
    }

    private final class Echo: ConnectionHandler, Sendable {
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            connection.write(bytes.bytes)
        }
    }
}
