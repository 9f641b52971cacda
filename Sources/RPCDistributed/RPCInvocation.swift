public import Distributed
internal import MessagePack
internal import RPC
internal import Synchronization

/// The arguments of a call, as they are recorded.
public struct RPCInvocationEncoder: DistributedTargetInvocationEncoder, Sendable {
    public typealias SerializationRequirement = any Codable

    private var arguments = MessagePackWriter()
    private var count = 0

    init() {}

    public mutating func recordGenericSubstitution<Type>(_ type: Type.Type) throws {
        throw RPCActorError.genericMethod
    }

    public mutating func recordArgument<Value: Codable>(
        _ argument: RemoteCallArgument<Value>
    ) throws {
        do {
            try MessagePackEncoder().encode(argument.value, to: &arguments)
        } catch {
            throw RPCError(.internal, "an argument cannot be encoded: \(error)")
        }
        count += 1
    }

    public mutating func recordReturnType<Reply: Codable>(_ type: Reply.Type) throws {}

    public mutating func recordErrorType<Failure: Error>(_ type: Failure.Type) throws {}

    public mutating func doneRecording() throws {}

    func encoded(_ id: RPCActorID, method: String) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.writeArrayHead(count: count + 2)
        writer.write(id.name)
        writer.write(method)
        let arguments = arguments.bytes
        writer.writeEncoded(arguments.span.bytes)
        return writer.bytes
    }
}

/// A call that came, and its arguments.
public struct RPCInvocationDecoder: DistributedTargetInvocationDecoder, Sendable {
    public typealias SerializationRequirement = any Codable

    /// How many arguments a call may have: each is kept for itself until it is decoded.
    static let argumentsMax = 64

    let id: RPCActorID
    let method: String
    private var arguments: ArraySlice<[UInt8]>

    init(_ request: [UInt8]) throws(RPCError) {
        do {
            let parts = try Self.parts(of: request)
            guard parts.count >= 2 else { throw MalformedCall() }
            id = RPCActorID(try MessagePackDecoder().decode(String.self, from: parts[0]))
            method = try MessagePackDecoder().decode(String.self, from: parts[1])
            arguments = parts[2...]
        } catch {
            throw RPCError(.invalidArgument, "what came is no call of an actor: \(error)")
        }
    }

    private struct MalformedCall: Error {}

    /// The elements of the array that `request` is.
    private static func parts(of request: [UInt8]) throws -> [[UInt8]] {
        var reader = MessagePackReader()
        var cursor = 0
        let bytes = request.span.bytes
        guard case .array(let count)? = try reader.next(in: bytes, at: &cursor),
            count <= argumentsMax + 2
        else { throw MalformedCall() }
        var parts: [[UInt8]] = []
        for _ in 0..<count {
            let start = cursor
            repeat {
                guard try reader.next(in: bytes, at: &cursor) != nil else { throw MalformedCall() }
            } while reader.depth > 1
            parts.append(Array(request[start..<cursor]))
        }
        guard cursor == request.count else { throw MalformedCall() }
        return parts
    }

    public mutating func decodeGenericSubstitutions() throws -> [any Any.Type] { [] }

    public mutating func decodeNextArgument<Argument: Codable>() throws -> Argument {
        guard let next = arguments.popFirst() else {
            throw RPCError(.invalidArgument, "the call has too few arguments")
        }
        do {
            return try MessagePackDecoder().decode(Argument.self, from: next)
        } catch {
            throw RPCError(.invalidArgument, "an argument cannot be decoded: \(error)")
        }
    }

    public mutating func decodeReturnType() throws -> (any Any.Type)? { nil }

    public mutating func decodeErrorType() throws -> (any Any.Type)? { nil }
}

/// Takes what a call gave.
public final class RPCResultHandler: DistributedTargetInvocationResultHandler, Sendable {
    public typealias SerializationRequirement = any Codable

    private static let null: [UInt8] = [0xc0]

    private let result = Mutex<Result<[UInt8], any Error>>(.success(null))

    init() {}

    public func onReturn<Success: Codable>(value: Success) async throws {
        let encoded: [UInt8]
        do {
            encoded = try MessagePackEncoder().encode(value)
        } catch {
            throw RPCError(.internal, "the result cannot be encoded: \(error)")
        }
        result.withLock { $0 = .success(encoded) }
    }

    public func onReturnVoid() async throws {}

    public func onThrow<Failure: Error>(error: Failure) async throws {
        result.withLock { $0 = .failure(error) }
    }

    /// The result; throws what the method threw.
    func encoded() throws -> [UInt8] { try result.withLock { $0 }.get() }
}
