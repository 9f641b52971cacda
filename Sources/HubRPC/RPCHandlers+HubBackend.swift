import Hub
public import HubHTTP
public import RPC

extension RPCHandlers {
    /// Serves ``HubBackend``: the commands of `api`, for programs that have one of its keys.
    ///
    /// ```swift
    /// let api = PushAPI(keys: try APIKeys(lines: keys))
    /// let hub = HubServer(group: group, application: app, logger: logger)
    /// api.serve(hub)
    /// var handlers = RPCHandlers()
    /// handlers.serveBackend(of: api)
    /// let server = RPCServer(group: group, handlers: handlers)
    /// try await server.listen(on: SocketAddress(host: "127.0.0.1", port: 4000))
    /// ```
    ///
    /// A key comes in the metadata of each call, as `authorization: Bearer KEY` or `x-api-key: KEY`;
    /// a call without one ends with ``/RPC/StatusCode/unauthenticated`` before its request is decoded.
    /// Other services of the same handlers need none. Campaigns are those of `api`, whichever way they
    /// were begun. A request's length is bounded by ``/RPC/RPCConfiguration/messageBytesMax``.
    ///
    /// - Parameter api: Whose bounds, keys and hub count; it need not be served by HTTP, too.
    public mutating func serveBackend(of api: PushAPI) {
        let backend = BackendHandlers(api: api)
        interceptors.append(KeyCheck(keys: api.keys))
        handle(HubBackend.publish, on: .loop, backend.carryOut { try await $0.publish($1) })
        handle(HubBackend.send, on: .loop, backend.carryOut { try await $0.send($1) })
        handle(HubBackend.broadcast, on: .loop, backend.carryOut { try $0.broadcast($1) })
        handle(HubBackend.beginCampaign, on: .loop, backend.carryOut { try $0.begin($1).answer })
        handle(HubBackend.campaign, on: .loop, backend.carryOut { try $0.steer($1) })
        handle(
            HubBackend.pauseCampaign, on: .loop,
            backend.carryOut { try $0.steer($1) { $0.pause() } })
        handle(
            HubBackend.resumeCampaign, on: .loop,
            backend.carryOut { try $0.steer($1) { $0.resume() } })
        handle(
            HubBackend.cancelCampaign, on: .loop,
            backend.carryOut { try $0.steer($1) { $0.cancel() } })
        handle(HubBackend.kick, on: .loop, backend.carryOut { try $0.kick($1) })
        handle(HubBackend.presence, on: .loop, backend.carryOut { try $0.presence($1) })
        handle(HubBackend.history, on: .loop, backend.carryOut { try await $0.history($1) })
        handle(HubBackend.sessions, on: .loop, backend.carryOut { try $0.sessions($1) })
    }
}

/// Makes handlers of an API's commands.
private struct BackendHandlers: Sendable {
    let api: PushAPI

    /// A handler that carries a command out, and tells its caller by a typed error why it cannot.
    func carryOut<Command: APIMessage, Answer: APIMessage>(
        _ body: @escaping @Sendable (HubCommands, Command) async throws -> Answer
    ) -> @Sendable (Command, RPCContext) async throws -> Answer {
        { [api] command, _ in
            guard let commands = api.commands else {
                let failure = CommandFailure(.unavailable, "there is no hub")
                throw RPCError(failure, failure.text)
            }
            do {
                return try await body(commands, command)
            } catch let failure as CommandFailure {
                throw RPCError(failure, failure.text)
            }
        }
    }
}

/// Lets calls of the backend through that have a key.
private struct KeyCheck: RPCInterceptor {
    let keys: APIKeys

    func intercept(
        _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
    ) async throws {
        guard call.service != HubBackend.serviceName || isAdmitted(call.metadata) else {
            let failure = CommandFailure(.unauthenticated, "a key is needed")
            throw RPCError(failure, failure.text)
        }
        try await next(call)
    }

    private func isAdmitted(_ metadata: RPCMetadata) -> Bool {
        let key = metadata["authorization"].flatMap(Self.bearerToken) ?? metadata["x-api-key"]
        return key.map { keys.admit($0) } ?? false
    }

    /// The token of `Bearer …` (RFC 6750 §2.1); `nil` where it is something else.
    private static func bearerToken(_ value: String) -> String? {
        let parts = value.split(separator: " ")
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }
}
