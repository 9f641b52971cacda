import NetPoll
import Synchronization
import WSFrame
import WSTransport

/// Decides on every request that reaches the hub's port: a session, a file, or a refusal.
final class UpgradeGate: Sendable {
    private let shards: [HubShard]
    private let configuration: HubConfiguration
    private let edge: HTTPEdge
    private let limiter: AddressLimiter
    private let isDraining = Atomic(false)
    private let owner = Mutex(Owner())

    /// The hub, which owns the gate and is gone before it where requests still come in.
    private struct Owner {
        weak var hub: HubServer?
    }

    init(shards: [HubShard], configuration: HubConfiguration) {
        self.shards = shards
        self.configuration = configuration
        edge = HTTPEdge(files: configuration.files)
        limiter = AddressLimiter(connectionsMax: configuration.sessionsPerAddressMax)
    }

    /// Tells the gate its hub, before that listens.
    func attach(to hub: HubServer) {
        owner.withLock { $0.hub = hub }
    }

    /// From now on no session begins.
    func beginDraining() {
        isDraining.store(true, ordering: .relaxed)
    }

    func decide(
        _ request: HTTPRequest, on loop: EventLoop, from address: SocketAddress
    ) -> WebSocketServer.Decision {
        let isDraining = isDraining.load(ordering: .relaxed)
        guard request.path == configuration.endpoint else {
            return .respond(edge.response(to: request, isDraining: isDraining))
        }
        guard WebSocketHandshake.isRequested(by: request) else {
            return .respond(
                HTTPResponse(
                    status: .upgradeRequired, headers: [HTTPHeader("Upgrade", "websocket")]))
        }
        guard !isDraining, let hub = owner.withLock({ $0.hub }) else {
            return .respond(HTTPResponse(status: .serviceUnavailable, text: "shutting down\n"))
        }
        guard configuration.origins.admits(request) else {
            return .respond(HTTPResponse(status: .forbidden, text: "origin not allowed\n"))
        }
        guard let permit = limiter.admit(address) else {
            return .respond(
                HTTPResponse(status: .tooManyRequests, text: "too many from this address\n"))
        }
        let shard = shards[loop.index]
        guard shard.directories.ledger.stage == .normal else {
            return .respond(HTTPResponse(status: .serviceUnavailable, text: "no memory\n"))
        }
        let admission = shard.directories.onion.connect(request, from: address) { request in
            shard.application.admit(request, from: address, to: hub)
        }
        switch admission {
        case .refuse(let response):
            return .respond(response)
        case .accept(let handler):
            let (index, subprotocol) = chosenProtocol(for: request)
            let session = ServedSession(
                shard: shard, handler: handler, protocolIndex: index, permit: permit)
            return .upgrade(session, subprotocol: subprotocol)
        }
    }

    /// The protocol for a client, and its name where the client asked for it by that.
    private func chosenProtocol(for request: HTTPRequest) -> (index: UInt8, name: String?) {
        let asked = (request.header("Sec-WebSocket-Protocol") ?? "").utf8
            .split(separator: UInt8(ascii: ","))
            .map { part in Substring(part).filter { $0 != " " && $0 != "\t" } }
        for name in asked {
            let index = configuration.protocols.firstIndex { spoken in
                spoken.subprotocol.map { $0.isSameBytes(as: name) } ?? false
            }
            if let index { return (UInt8(index), name) }
        }
        let bare = configuration.protocols.firstIndex { $0.subprotocol == nil }
        return (UInt8(bare ?? 0), nil)
    }
}
