import NetPoll
import Synchronization
import WSFrame
import WSTransport

/// Decides on every request that reaches the hub's port: a session, a file, or a refusal.
///
/// What costs least is asked first: whether the hub takes anybody, the origin, the address, memory and
/// the rate; then who the client is, and last the application.
final class UpgradeGate: Sendable {
    private let shards: [HubShard]
    private let configuration: HubConfiguration
    private let edge: HTTPEdge
    private let addresses: AddressCounts
    private let refused: RefusedCounts
    private let rate: Mutex<HandshakeBucket?>
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
        addresses = AddressCounts(most: configuration.sessionsPerAddressMax)
        refused = RefusedCounts(configuration)
        rate = Mutex(configuration.handshakeRate.map { HandshakeBucket($0) })
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
            if let response = edge.response(to: request, isDraining: isDraining) {
                return .respond(response)
            }
            return configuration.routes?.decision(for: request)
                ?? .respond(HTTPResponse(status: .notFound, text: "404 Not Found\n"))
        }
        guard WebSocketHandshake.isRequested(by: request) else {
            return .respond(
                HTTPResponse(
                    status: .upgradeRequired, headers: [HTTPHeader("Upgrade", "websocket")]))
        }
        guard configuration.origins.admits(request) else {
            return .respond(HTTPResponse(status: .forbidden, text: "origin not allowed\n"))
        }
        if let refusal = obstacle(to: request, from: address, on: loop) {
            return refuse(request, refusal, address)
        }
        guard let authenticator = configuration.authenticator else {
            return admit(request, as: nil, on: loop, from: address)
        }
        let credentials = Credentials(
            .request(request), from: address, at: configuration.calendar())
        return .ask {
            let answer = await authenticator.authenticate(credentials)
            return { self.decide(request, answer, on: loop, from: address) }
        }
    }

    // MARK: - Before it is known who it is

    private func obstacle(
        to request: HTTPRequest, from address: SocketAddress, on loop: EventLoop
    ) -> AdmissionRefusal? {
        guard !isDraining.load(ordering: .relaxed) else { return Self.shuttingDown(loop) }
        guard addresses.hasRoom(for: address) else { return Self.tooManyOfAddress(loop) }
        guard shards[loop.index].directories.ledger.stage == .normal else {
            return AdmissionRefusal(
                .overloaded, "no memory", retryAfter: RetryHint.jittered(.seconds(5), on: loop))
        }
        guard let retryAfter = delay(of: request, on: loop) else { return nil }
        return AdmissionRefusal(.overloaded, "too many at once", retryAfter: retryAfter)
    }

    /// How long the rate makes a client wait; `nil` for not at all.
    private func delay(of request: HTTPRequest, on loop: EventLoop) -> Duration? {
        // A proof of coming back is read only where it is of use, and not under the lock.
        let isIn = rate.withLock { bucket in
            bucket?.takeWithoutReserve(at: loop.now) ?? true
        }
        guard !isIn else { return nil }
        let isResume = isResume(request)
        var random = loop.random
        let chance = Double.random(in: 0..<1, using: &random)
        let outcome = rate.withLock {
            $0?.take(isResume: isResume, at: loop.now, chance: chance)
        }
        guard case .refused(let retryAfter) = outcome else { return nil }
        return retryAfter
    }

    private func isResume(_ request: HTTPRequest) -> Bool {
        if let isResume = configuration.isResume { return isResume(request) }
        guard let policy = configuration.resume, let token = ResumeOffer.token(in: request) else {
            return false
        }
        do throws(ResumeTokenError) {
            _ = try policy.tokens.state(of: token, at: configuration.calendar())
            return true
        } catch {
            // Whatever it is, it proves nothing.
            return false
        }
    }

    private static func shuttingDown(_ loop: EventLoop) -> AdmissionRefusal {
        AdmissionRefusal(
            .draining, "shutting down", retryAfter: RetryHint.jittered(.seconds(2), on: loop))
    }

    private static func tooManyOfAddress(_ loop: EventLoop) -> AdmissionRefusal {
        AdmissionRefusal(
            .tooMany, "too many from this address",
            retryAfter: RetryHint.jittered(.seconds(5), on: loop))
    }

    private func refuse(
        _ request: HTTPRequest, _ refusal: AdmissionRefusal, _ address: SocketAddress
    ) -> WebSocketServer.Decision {
        guard configuration.refusals == .closeCode, let place = refused.place(for: address) else {
            return .respond(refusal.response)
        }
        return .upgrade(
            RefusedClient(refusal, at: place), subprotocol: chosenProtocol(for: request).name)
    }

    // MARK: - When that is known

    private func decide(
        _ request: HTTPRequest, _ answer: Authentication, on loop: EventLoop,
        from address: SocketAddress
    ) -> WebSocketServer.Decision {
        switch answer {
        case .refused(let refusal):
            return refuse(request, refusal, address)
        case .anonymous:
            return admit(request, as: nil, on: loop, from: address)
        case .accepted(let identity):
            let now = configuration.calendar()
            let directories = shards[loop.index].directories
            if let expiry = identity.expiry, expiry <= now {
                return refuse(
                    request,
                    AdmissionRefusal(.credentialsExpired, "the credentials have expired"), address)
            }
            if directories.bans.isBanned(identity.user, at: now) {
                return refuse(request, AdmissionRefusal(IdentifyError.banned, on: loop), address)
            }
            if !directories.sessions.hasRoom(for: identity.user) {
                return refuse(
                    request, AdmissionRefusal(IdentifyError.tooManySessions, on: loop), address)
            }
            return admit(request, as: identity, on: loop, from: address)
        }
    }

    private func admit(
        _ request: HTTPRequest, as identity: Identity?, on loop: EventLoop,
        from address: SocketAddress
    ) -> WebSocketServer.Decision {
        // Asked once more: it may have begun while the credentials were checked.
        guard !isDraining.load(ordering: .relaxed), let hub = owner.withLock({ $0.hub }) else {
            return refuse(request, Self.shuttingDown(loop), address)
        }
        guard let permit = addresses.admit(address) else {
            return refuse(request, Self.tooManyOfAddress(loop), address)
        }
        let shard = shards[loop.index]
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
            session.identity = identity
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
