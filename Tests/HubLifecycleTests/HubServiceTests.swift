import Hub
import HubLifecycle
import Logging
import LoopbackClient
import NetPoll
import ServiceLifecycle
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("A hub as a service", .timeLimit(.minutes(2)))
struct HubServiceTests {
    /// What happened, in its order, for those who wait for it.
    private final class Diary: Sendable {
        let events: AsyncStream<String>
        private let write: AsyncStream<String>.Continuation

        init() {
            (events, write) = AsyncStream.makeStream()
        }

        func note(_ event: String) { write.yield(event) }
    }

    private final class Noting: HubApplication, SessionHandler {
        let diary: Diary

        init(_ diary: Diary) {
            self.diary = diary
        }

        func admit(
            _ request: HTTPRequest, from address: SocketAddress, to hub: HubServer
        ) -> Admission { .accept(self) }

        func began(_ session: Session) { diary.note("began") }

        func received(_ message: RawSpan, kind: MessageKind, from session: Session) {}

        func ended(_ session: Session, reason: WebSocketCloseReason) { diary.note("ended") }
    }

    private static let upgrade = """
        GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
        """

    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let any = SocketAddress.v4(0x0100_007f, port: 0)

    private func makeLoops() throws -> EventLoopGroup {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        return try EventLoopGroup(configuration: configuration)
    }

    @Test(arguments: [false, true])
    func `it drains before what it stands on is closed`(isCancelled: Bool) async throws {
        let diary = Diary()
        let loops = try makeLoops()
        let hub = HubServer(group: loops, application: Noting(diary), logger: logger)
        let sockets = try await HubSockets.take(on: loops)
        let services = ServiceGroup(
            services: [
                ClosingService { diary.note("store") },
                HubService(hub, on: any, sockets: sockets, drainingWithin: .milliseconds(200)) {
                    diary.note("\($0.port ?? 0)")
                },
            ], logger: logger)
        let run = Task { try await services.run() }
        var events = diary.events.makeAsyncIterator()
        let port = try #require(UInt16(await events.next() ?? ""))
        let client = try #require(LoopbackClient(port: port))
        client.send(Array(Self.upgrade.utf8))
        #expect(await events.next() == "began")
        if isCancelled { run.cancel() } else { await services.triggerGracefulShutdown() }
        let last = [await events.next(), await events.next()]
        // Cancelled, they end at once.
        #expect(isCancelled ? Set(last) == ["ended", "store"] : last == ["ended", "store"])
        _ = await run.result
        await loops.shutdown()
        #expect(LoopbackClient(port: port) == nil)
    }

    @Test func `where it cannot listen the services end with that error`() async throws {
        let loops = try makeLoops()
        let taken = try await loops.listen(on: any) { _, _ in Silent() }
        let hub = HubServer(group: loops, application: Noting(Diary()), logger: logger)
        let services = ServiceGroup(
            services: [
                HubService(hub, on: taken.address, sockets: try await HubSockets.take(on: loops))
            ], logger: logger)
        await #expect(throws: SystemError.self) { try await services.run() }
        await loops.shutdown()
    }

    private final class Silent: ConnectionHandler {
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {}
    }
}
