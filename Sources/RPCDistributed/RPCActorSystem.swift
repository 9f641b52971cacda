public import Distributed
internal import MessagePack
public import RPC
internal import Synchronization

/// Distributed actors whose calls are RPC.
///
///     distributed actor Greeter {
///         typealias ActorSystem = RPCActorSystem
///         distributed func greet(_ name: String) -> String { "Hello, \(name)!" }
///     }
///
///     // Both sides.
///     var methods = RPCActorMethods()
///     await methods.name("Greet", of: Greeter.self) { _ = try await $0.greet("") }
///
///     // The server's side.
///     let system = RPCActorSystem(methods: methods)
///     let greeter = system.named("greeter") { Greeter(actorSystem: system) }
///     handlers.serve(system)
///
///     // The client's.
///     let elsewhere = RPCActorSystem(client: client, methods: methods)
///     let remote = try Greeter.resolve(id: RPCActorID("greeter"), using: elsewhere)
///     let text = try await remote.greet("Ann")
///
/// Actors and methods have the names that the program gives them. Arguments and results are
/// MessagePack by `Codable`, at most 64 of a call. Generic actors and methods cannot be called.
public final class RPCActorSystem: DistributedActorSystem, Sendable {
    public typealias ActorID = RPCActorID
    public typealias SerializationRequirement = any Codable
    public typealias InvocationEncoder = RPCInvocationEncoder
    public typealias InvocationDecoder = RPCInvocationDecoder
    public typealias ResultHandler = RPCResultHandler

    /// Where actors are that are not here.
    private enum Elsewhere: Sendable {
        case nowhere
        case client(RPCClient)
        case connection(RPCConnection)
        case recorder(TargetRecorder)
    }

    private struct Entry: Sendable {
        // An actor lives as long as the program holds it.
        weak var actor: (any DistributedActor)?
    }

    @TaskLocal private static var nextName: String?

    private let elsewhere: Elsewhere
    private let methods: RPCActorMethods
    private let options: CallOptions
    private let actors = Mutex<[RPCActorID: Entry]>([:])

    private init(_ elsewhere: Elsewhere, _ methods: RPCActorMethods, _ options: CallOptions) {
        self.elsewhere = elsewhere
        self.methods = methods
        self.options = options
    }

    /// A system whose actors are all here.
    ///
    /// - Parameter methods: What can be called from elsewhere.
    public convenience init(methods: RPCActorMethods) {
        self.init(.nowhere, methods, .init())
    }

    /// A system whose actors are here or where `client` calls.
    ///
    /// - Parameters:
    ///   - client: Where actors are that are not here.
    ///   - methods: What can be called, here and there.
    ///   - options: Timeout, metadata and affinity of every call.
    public convenience init(
        client: RPCClient, methods: RPCActorMethods, options: CallOptions = .init()
    ) {
        self.init(.client(client), methods, options)
    }

    /// A system whose actors are here or at the other end of `connection`: with that of a handler's
    /// context, the actors of its caller.
    ///
    /// - Parameters:
    ///   - connection: Where actors are that are not here.
    ///   - methods: What can be called, here and there.
    ///   - options: Timeout and metadata of every call.
    public convenience init(
        connection: RPCConnection, methods: RPCActorMethods, options: CallOptions = .init()
    ) {
        self.init(.connection(connection), methods, options)
    }

    convenience init(recorder: TargetRecorder) {
        self.init(.recorder(recorder), RPCActorMethods(), .init())
    }

    /// Makes an actor of that name: the one that `make` initialises with this system.
    ///
    /// The program holds it: the system does not keep it alive.
    ///
    /// - Parameters:
    ///   - name: Must not be that of an actor of this system that lives.
    ///   - make: Initialises one actor.
    /// - Returns: The actor.
    public func named<Act: DistributedActor>(
        _ name: String, _ make: () throws -> Act
    ) rethrows -> Act where Act.ActorSystem == RPCActorSystem {
        try Self.$nextName.withValue(name) { try make() }
    }

    // MARK: - Identity

    public func resolve<Act: DistributedActor>(id: ActorID, as type: Act.Type) throws -> Act?
    where Act.ID == ActorID {
        let found = actors.withLock { $0[id]?.actor }
        guard let found else {
            if case .nowhere = elsewhere { throw RPCActorError.unknownActor(id) }
            return nil
        }
        guard let actor = found as? Act else { throw RPCActorError.otherType(id) }
        return actor
    }

    public func assignID<Act: DistributedActor>(_ type: Act.Type) -> ActorID
    where Act.ID == ActorID {
        guard let name = Self.nextName else {
            preconditionFailure("\(type) is made outside of RPCActorSystem.named")
        }
        return RPCActorID(name)
    }

    public func actorReady<Act: DistributedActor>(_ actor: Act) where Act.ID == ActorID {
        let namesake = actors.withLock { actors in
            let found = actors[actor.id]?.actor
            if found == nil { actors[actor.id] = Entry(actor: actor) }
            return found
        }
        precondition(namesake == nil, "two actors are named \(actor.id)")
    }

    public func resignID(_ id: ActorID) {
        // One of that name may have been made since. It outlives the lock, which its end takes.
        _ = actors.withLock { actors in
            let namesake = actors[id]?.actor
            if namesake == nil { actors[id] = nil }
            return namesake
        }
    }

    // MARK: - Calls of actors elsewhere

    public func makeInvocationEncoder() -> InvocationEncoder { RPCInvocationEncoder() }

    public func remoteCall<Act: DistributedActor, Failure: Error, Reply: Codable>(
        on actor: Act, target: RemoteCallTarget, invocation: inout InvocationEncoder,
        throwing: Failure.Type, returning: Reply.Type
    ) async throws -> Reply where Act.ID == ActorID {
        let reply = try await call(actor.id, target, invocation)
        do {
            return try MessagePackDecoder().decode(Reply.self, from: reply)
        } catch {
            throw RPCError(.internal, "the result cannot be decoded: \(error)")
        }
    }

    public func remoteCallVoid<Act: DistributedActor, Failure: Error>(
        on actor: Act, target: RemoteCallTarget, invocation: inout InvocationEncoder,
        throwing: Failure.Type
    ) async throws where Act.ID == ActorID {
        _ = try await call(actor.id, target, invocation)
    }

    private func call(
        _ id: RPCActorID, _ target: RemoteCallTarget, _ invocation: RPCInvocationEncoder
    ) async throws -> [UInt8] {
        if case .recorder(let recorder) = elsewhere { throw recorder.note(target) }
        let request = invocation.encoded(id, method: try methods.name(of: target))
        switch elsewhere {
        case .client(let client):
            return try await client.call(RPCActorService.call, request, options: options)
        case .connection(let connection):
            return try await connection.call(RPCActorService.call, request, options: options)
        case .nowhere, .recorder: throw RPCActorError.unknownActor(id)
        }
    }

    // MARK: - Calls from elsewhere

    /// Serves a call; gives the encoded result.
    func serve(_ request: [UInt8]) async throws -> [UInt8] {
        let invocation = try RPCInvocationDecoder(request)
        guard let actor = actors.withLock({ $0[invocation.id]?.actor }) else {
            throw RPCError(.notFound, "no actor \(Self.start(of: invocation.id.name))")
        }
        guard let target = methods.target(invocation.method, of: actor) else {
            let method = Self.start(of: invocation.method)
            throw RPCError(.unimplemented, "no method \(method) of \(invocation.id)")
        }
        return try await execute(target, invocation, on: actor)
    }

    /// As much of a name that came as a status tells.
    private static func start(of name: String) -> String {
        String(decoding: name.utf8.prefix(256), as: UTF8.self)
    }

    @concurrent private func execute(
        _ target: String, _ invocation: RPCInvocationDecoder, on actor: some DistributedActor
    ) async throws -> [UInt8] {
        var invocation = invocation
        let result = RPCResultHandler()
        try await executeDistributedTarget(
            on: actor, target: RemoteCallTarget(target), invocationDecoder: &invocation,
            handler: result)
        return try result.encoded()
    }
}

/// What calls of actors are on the wire: one method. Its request is an array of the actor's name, the
/// method's and the arguments, its reply the result, or null where there is none; MessagePack both.
enum RPCActorService: RPCService {
    static let serviceName = "longwire.Actors"
    static let call = unary("Call", [UInt8].self, [UInt8].self)
}

extension RPCHandlers {
    /// Serves calls of the actors of `system` (`longwire.Actors/Call`).
    public mutating func serve(_ system: RPCActorSystem) {
        handle(RPCActorService.call) { request, _ in try await system.serve(request) }
    }
}
