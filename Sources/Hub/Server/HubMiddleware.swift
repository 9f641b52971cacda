public import NetPoll
public import WSFrame
public import WSTransport

/// Something around what a hub does for its clients: the first of
/// ``HubConfiguration/middleware`` is the outermost, and each decides whether and with what the next
/// one goes on.
///
/// Called on the hub's loops, several at a time; ``publish(_:to:next:)`` on the publisher's thread.
/// Everything has a default that goes on.
public protocol HubMiddleware: Sendable {
    /// A client asks for a session; innermost is ``HubApplication/admit(_:from:to:)``.
    func connect(
        _ request: HTTPRequest, from address: SocketAddress,
        next: (HTTPRequest) -> Admission
    ) -> Admission

    /// A session has begun; its handler is told after this. Called once for each, before all of its
    /// messages. By default nothing is done.
    func began(_ session: Session)

    /// A session that had begun has ended, and its handler was told. Called once, after all of its
    /// messages. By default nothing is done.
    func ended(_ session: Session, reason: WebSocketCloseReason)

    /// A message for the application came from a client; innermost is its handler.
    func message(
        _ message: HubMessage, from session: Session, next: (HubMessage) -> Void)

    /// Something is to be published; innermost is the topic.
    func publish(
        _ publication: Publication, to topic: Topic, next: (Publication) -> PublishOutcome
    ) -> PublishOutcome
}

extension HubMiddleware {
    public func began(_ session: Session) {}

    public func ended(_ session: Session, reason: WebSocketCloseReason) {}

    public func connect(
        _ request: HTTPRequest, from address: SocketAddress,
        next: (HTTPRequest) -> Admission
    ) -> Admission {
        next(request)
    }

    public func message(
        _ message: HubMessage, from session: Session, next: (HubMessage) -> Void
    ) {
        next(message)
    }

    public func publish(
        _ publication: Publication, to topic: Topic, next: (Publication) -> PublishOutcome
    ) -> PublishOutcome {
        next(publication)
    }
}

/// Runs a hub's middleware, layer by layer.
struct Onion: Sendable {
    let layers: [any HubMiddleware]

    var isEmpty: Bool { layers.isEmpty }

    func connect(
        _ request: HTTPRequest, from address: SocketAddress, layer: Int = 0,
        core: (HTTPRequest) -> Admission
    ) -> Admission {
        guard layer < layers.count else { return core(request) }
        return layers[layer].connect(request, from: address) { request in
            connect(request, from: address, layer: layer + 1, core: core)
        }
    }

    func began(_ session: Session) {
        for layer in layers { layer.began(session) }
    }

    func ended(_ session: Session, _ reason: WebSocketCloseReason) {
        for layer in layers.reversed() { layer.ended(session, reason: reason) }
    }

    func message(
        _ message: HubMessage, from session: Session, layer: Int = 0,
        core: (HubMessage) -> Void
    ) {
        guard layer < layers.count else { return core(message) }
        layers[layer].message(message, from: session) { message in
            self.message(message, from: session, layer: layer + 1, core: core)
        }
    }

    func publish(
        _ publication: Publication, to topic: Topic, layer: Int = 0,
        core: (Publication) -> PublishOutcome
    ) -> PublishOutcome {
        guard layer < layers.count else { return core(publication) }
        return layers[layer].publish(publication, to: topic) { publication in
            publish(publication, to: topic, layer: layer + 1, core: core)
        }
    }
}
