public import WSFrame

/// Answers requests of which the body is read first.
///
/// Requests of one connection are answered one after the other, in their order.
public struct HTTPResponder: Sendable {
    enum Kind: Sendable {
        case onLoop(@Sendable (HTTPCall) -> HTTPResponse)
        case byTask(@Sendable (HTTPCall) async throws -> HTTPResponse)
        case byStream(@Sendable (HTTPCall) async throws -> HTTPStream)
    }

    let kind: Kind
    /// The longest body, in bytes; beyond it 413. `nil` for what
    /// ``/WSFrame/HTTPLimits/bodyBytesMax`` says.
    public let bodyBytesMax: Int?
    var parameters = HTTPParameters()

    /// Answers at once, on the loop of the connection; nothing else of the loop runs meanwhile.
    ///
    /// - Precondition: `bodyBytesMax` is not negative.
    public static func onLoop(
        bodyBytesMax: Int? = nil, _ respond: @escaping @Sendable (HTTPCall) -> HTTPResponse
    ) -> HTTPResponder {
        HTTPResponder(.onLoop(respond), bodyBytesMax)
    }

    /// Answers by a task on the loop of the connection, which may wait; work that blocks or takes
    /// long goes to a ``/NetPoll/WorkerPool``.
    ///
    /// The task is cancelled when the client is gone or ended its side, and at
    /// ``WebSocketServer/Configuration/responseTimeout``. An error it throws is answered 500 without
    /// its text, which may hold what is not for the client's eyes, and told to the server's
    /// observer.
    ///
    /// - Precondition: `bodyBytesMax` is not negative.
    public static func byTask(
        bodyBytesMax: Int? = nil,
        _ respond: @escaping @Sendable (HTTPCall) async throws -> HTTPResponse
    ) -> HTTPResponder {
        HTTPResponder(.byTask(respond), bodyBytesMax)
    }

    /// Answers by a task that writes the body piece by piece; see ``byTask(bodyBytesMax:_:)``.
    ///
    /// ``WebSocketServer/Configuration/responseTimeout`` bounds the time until `respond` returns; a
    /// body may take as long as its client takes it.
    ///
    /// - Precondition: `bodyBytesMax` is not negative.
    public static func byStream(
        bodyBytesMax: Int? = nil,
        _ respond: @escaping @Sendable (HTTPCall) async throws -> HTTPStream
    ) -> HTTPResponder {
        HTTPResponder(.byStream(respond), bodyBytesMax)
    }

    private init(_ kind: Kind, _ bodyBytesMax: Int?) {
        precondition(bodyBytesMax ?? 0 >= 0, "bodies of at most \(bodyBytesMax ?? 0) bytes")
        self.kind = kind
        self.bodyBytesMax = bodyBytesMax
    }

    func with(_ parameters: HTTPParameters) -> HTTPResponder {
        var copy = self
        copy.parameters = parameters
        return copy
    }
}
