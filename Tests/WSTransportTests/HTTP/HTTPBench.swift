import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// A server of plain requests on a simulated network, and raw clients for it.
///
/// `@unchecked Sendable`: everything runs in the test's own thread.
final class HTTPBench: @unchecked Sendable {
    /// A responder's task that waits until the test says what it answers.
    final class Gate: @unchecked Sendable {
        private var waiter: CheckedContinuation<HTTPResponse, any Error>?
        private(set) var calls: [HTTPCall] = []
        private(set) var isCancelled = false

        func respond(_ call: HTTPCall) async throws -> HTTPResponse {
            calls.append(call)
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { waiter = $0 }
            } onCancel: {
                isCancelled = true
                waiter?.resume(throwing: CancellationError())
                waiter = nil
            }
        }

        func open(_ response: HTTPResponse = HTTPResponse(status: .ok, text: "late")) {
            waiter?.resume(returning: response)
            waiter = nil
        }
    }

    struct Failure: Error {}

    private final class Socket: WebSocketHandler, Sendable {
        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            connection.send(message, kind: kind)
        }
    }

    let network: SimulatedNetwork
    let server: WebSocketServer
    let gate = Gate()
    private(set) var address = SocketAddress.v4(0x0100_007f, port: 80)
    private(set) var failures: [String] = []
    /// Whose failures they were.
    private(set) var blamed: [SocketAddress] = []
    private(set) var accesses: [HTTPAccess] = []

    init(
        seed: UInt64 = 0, faults: Faults = Faults(),
        _ configure: (inout WebSocketServer.Configuration) -> Void = { _ in },
        routes: (inout HTTPRouter) -> Void = { _ in }
    ) async throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        var configuration = WebSocketServer.Configuration()
        configure(&configuration)
        let relay = Relay()
        var router = Self.router(gate)
        routes(&router)
        let routed = router
        server = WebSocketServer(
            group: network.makeGroup(loops: 1), configuration: configuration,
            observe: { failure, address in
                relay.bench?.failures.append(failure.description)
                relay.bench?.blamed.append(address)
            },
            accessLog: { relay.bench?.accesses.append($0) }
        ) { request, _, _ in
            request.path == "/ws" ? .upgrade(Socket()) : routed.decision(for: request)
        }
        relay.bench = self
        address = try await server.listen(on: address)
    }

    /// Passes events on without keeping the bench alive.
    private final class Relay: @unchecked Sendable {
        weak var bench: HTTPBench?
    }

    static func router(_ gate: Gate) -> HTTPRouter {
        var router = HTTPRouter()
        router.on(.get, "/", .onLoop { _ in HTTPResponse(status: .ok, text: "root") })
        router.on(
            .get, "/who",
            .onLoop { HTTPResponse(status: .ok, text: "\($0.remoteAddress)") })
        router.on(
            .post, "/echo",
            .onLoop { call in
                HTTPResponse(
                    status: .ok, body: call.body + call.trailers.flatMap { Array($0.value.utf8) })
            })
        router.on(
            .post, "/small", .onLoop(bodyBytesMax: 4) { _ in HTTPResponse(status: .noContent) })
        router.on(.post, "/late", .byTask { [gate] in try await gate.respond($0) })
        router.on(.get, "/late", .byTask { [gate] in try await gate.respond($0) })
        router.on(
            .get, "/stubborn",
            .byTask { [gate] call in
                // It answers although it was cancelled.
                do { return try await gate.respond(call) } catch {
                    return HTTPResponse(status: .ok, text: "cancelled")
                }
            })
        router.on(.get, "/fails", .byTask { _ in throw Failure() })
        router.on(
            .get, "/long/:bytes",
            .onLoop { call in
                let count = call.parameters["bytes"].flatMap { Int($0) } ?? 0
                return HTTPResponse(status: .ok, body: .init(repeating: 0x78, count: count))
            })
        return router
    }

    func connect(from host: String = "127.0.0.1") throws -> SimulatedPeer {
        let host = try SocketAddress(host: host, port: 0)
        let peer = try #require(network.connect(to: address, from: host))
        network.runUntilIdle()
        return peer
    }

    /// Lets a client that takes one window every four seconds go on until it has so many bytes, and then take
    /// the rest.
    func takeSlowly(_ peer: SimulatedPeer, bytes: Int, windowsMax: Int) {
        peer.onReceive = { [unowned peer] _ in peer.stall() }
        for _ in 0..<windowsMax where !peer.isReset && peer.received.count < bytes {
            network.run(for: .seconds(4))
            peer.resume()
            network.runUntilIdle()
        }
        peer.onReceive = nil
        peer.resume()
        network.runUntilIdle()
    }

    /// Sends `text` in pieces and lets the server answer each.
    func send(_ text: String, pieceBytes: Int = 1 << 20, on peer: SimulatedPeer) {
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            peer.send(Array(bytes[start..<min(start + pieceBytes, bytes.count)]))
            network.runUntilIdle()
        }
    }
}

/// The answers in what a client received, each as its status and its body.
func answers(in text: String, toHEAD: Bool = false) -> [String] {
    var answers: [String] = []
    var rest = text[...]
    while let end = rest.firstRange(of: "\r\n\r\n") {
        let head = rest[..<end.lowerBound]
        rest = rest[end.upperBound...]
        let status = head.dropFirst(9).prefix(3)
        let lines = head.split(separator: "\r\n")
        let length = lines.first { $0.hasPrefix("Content-Length: ") }
            .flatMap { Int($0.dropFirst(16)) }
        let body = rest.prefix(toHEAD ? 0 : length ?? 0)
        rest = rest.dropFirst(body.count)
        answers.append(body.isEmpty ? String(status) : "\(status) \(body)")
    }
    if !rest.isEmpty { answers.append("and \(rest)") }
    return answers
}
