// Handlers by event. Each event has one handler; a later one replaces it.
extension HubServer {
    /// Handles the messages of an event, on their sessions' loops; `body` must not block.
    public func on(
        _ event: String, _ body: @escaping @Sendable (HubMessage, Session) throws -> Void
    ) {
        directories.router.set(event, .message(body))
    }

    /// Handles the messages of an event whose payload is `type` in JSON, on their sessions' loops.
    ///
    /// Where the payload is something else, or `body` throws, the client is told
    /// ``FailureCode/malformed`` or ``FailureCode/handlerFailed``.
    public func on<Value: Decodable & SendableMetatype>(
        _ event: String, as type: Value.Type,
        _ body: @escaping @Sendable (Value, Session) throws -> Void
    ) {
        on(event) { message, session in try body(message.payload.decoded(as: type), session) }
    }

    /// Handles the messages of an event by a task each, on their sessions' loops.
    ///
    /// Messages of one session may be handled beside each other: at most
    /// ``HubConfiguration/tasksPerSessionMax`` at a time, further ones are refused with
    /// ``FailureCode/overloaded``.
    public func on<Value: Decodable & Sendable>(
        _ event: String, as type: Value.Type,
        task body: @escaping @Sendable (Value, SessionReference) async throws -> Void
    ) {
        onRequest(
            event, as: type,
            task: { value, session in
                try await body(value, session)
                return Nothing()
            })
    }

    /// Answers the requests of an event, on their sessions' loops.
    public func onRequest<
        Question: Decodable & SendableMetatype, Answer: Encodable & SendableMetatype
    >(
        _ event: String, as type: Question.Type,
        _ body: @escaping @Sendable (Question, Session) throws -> Answer
    ) {
        directories.router.set(
            event,
            .request { message, session, answer in
                answer(
                    Result {
                        try Payload(json: body(message.payload.decoded(as: type), session))
                    })
            })
    }

    /// Answers the requests of an event by a task each, on their sessions' loops; as for tasks of
    /// messages.
    public func onRequest<Question: Decodable & Sendable, Answer: Encodable & SendableMetatype>(
        _ event: String, as type: Question.Type,
        task body: @escaping @Sendable (Question, SessionReference) async throws -> Answer
    ) {
        directories.router.set(
            event,
            .request { message, session, answer in
                do {
                    let question = try message.payload.decoded(as: type)
                    guard let reference = session.reference else { return }
                    let isBegun = session.shard.run(of: session) {
                        do {
                            return Result<Payload, any Error>.success(
                                try Payload(json: await body(question, reference)))
                        } catch {
                            return .failure(error)
                        }
                    } whenDone: {
                        answer($1)
                    }
                    if !isBegun { throw EventError.overloaded }
                } catch {
                    answer(.failure(error))
                }
            })
    }

    private struct Nothing: Encodable {}
}

/// Why a handler did not get its message.
enum EventError: Error {
    case overloaded
    case malformed
}
