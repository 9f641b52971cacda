internal import MessagePack

/// The methods that one side of a connection serves.
///
///     var handlers = MessagePackRPCHandlers()
///     handlers.handle("add") { parameters, _ in
///         let (a, b) = try parameters.decode(Int.self, Int.self)
///         return a + b
///     }
///     handlers.handleNotification("log") { parameters, _ in
///         journal.note(try? parameters.decode(String.self))
///     }
public struct MessagePackRPCHandlers: Sendable {
    /// Where the task of a request runs.
    public enum Execution: Hashable, Sendable {
        /// On the global pool.
        case pool
        /// On the connection's loop; it must not block.
        case loop
    }

    struct Request: Sendable {
        let execution: Execution
        let encodedReply:
            @Sendable (MessagePackRPCParameters, MessagePackRPCContext) async throws -> [UInt8]
    }

    typealias Notification = @Sendable (MessagePackRPCParameters, MessagePackRPCContext) -> Void

    /// What a name may have to be given to the handler of all others.
    static let otherNameBytesMax = 1_024

    private(set) var requests: [ExactText: Request] = [:]
    private(set) var notifications: [ExactText: Notification] = [:]
    private(set) var otherNotifications: Notification?

    public init() {}

    /// Serves requests of `method`, each with a task of its own, which is cancelled when the
    /// connection is lost.
    ///
    /// What the handler throws is the error of the answer: a ``MessagePackRPCFault`` as it is,
    /// parameters that do not fit with their description, anything else without its text.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - execution: Where the task runs. Default: the global pool.
    ///   - handler: Gives the result.
    public mutating func handle<Reply: Encodable & Sendable>(
        _ method: String, on execution: Execution = .pool,
        _ handler:
            @escaping @Sendable (
                MessagePackRPCParameters, MessagePackRPCContext
            ) async throws -> Reply
    ) {
        add(method, execution) { parameters, context in
            let result = try await handler(parameters, context)
            return try MessagePackEncoder().encode(result)
        }
    }

    /// Serves requests of a method without a result, as those with one: the answer's is `nil`.
    public mutating func handle(
        _ method: String, on execution: Execution = .pool,
        _ handler:
            @escaping @Sendable (
                MessagePackRPCParameters, MessagePackRPCContext
            ) async throws -> Void
    ) {
        add(method, execution) { parameters, context in
            try await handler(parameters, context)
            var writer = MessagePackWriter()
            writer.writeNull()
            return writer.bytes
        }
    }

    /// Takes notifications of `method`, on the connection's loop and in the order they came.
    ///
    /// - Parameters:
    ///   - method: Must not be served already.
    ///   - handler: Must not block; nobody is told of a failure.
    public mutating func handleNotification(
        _ method: String,
        _ handler:
            @escaping @Sendable (MessagePackRPCParameters, MessagePackRPCContext) -> Void
    ) {
        let name = ExactText(method)
        precondition(notifications[name] == nil, "\(method) is served already")
        notifications[name] = handler
    }

    /// Takes notifications of every method that has no handler of its own; without this they are
    /// dropped, and so are those with names of more than 1,024 bytes.
    public mutating func handleOtherNotifications(
        _ handler:
            @escaping @Sendable (MessagePackRPCParameters, MessagePackRPCContext) -> Void
    ) {
        otherNotifications = handler
    }

    private mutating func add(
        _ method: String, _ execution: Execution,
        _ encodedReply:
            @escaping @Sendable (
                MessagePackRPCParameters, MessagePackRPCContext
            ) async throws -> [UInt8]
    ) {
        let name = ExactText(method)
        precondition(requests[name] == nil, "\(method) is served already")
        requests[name] = Request(execution: execution, encodedReply: encodedReply)
    }
}

extension MessagePackRPCHandlers.Request {
    /// Runs the handler; what it throws is what the caller is told.
    func outcome(
        _ parameters: MessagePackRPCParameters, _ context: MessagePackRPCContext
    ) async -> Result<[UInt8], MessagePackRPCFault> {
        do {
            return .success(try await encodedReply(parameters, context))
        } catch let fault as MessagePackRPCFault {
            return .failure(fault)
        } catch let error as MessagePackRPCParameters.Unfit {
            return .failure(MessagePackRPCFault("the parameters do not fit: \(error.text)"))
        } catch is CancellationError {
            return .failure(MessagePackRPCFault("the request was cancelled"))
        } catch {
            // The text of other errors may hold what is not for the caller's eyes.
            return .failure(MessagePackRPCFault("the handler failed"))
        }
    }
}
