import Hub

/// What a server of a hub and other programs say to each other: a JSON object, the same by HTTP and by RPC.
public protocol APIMessage: Hashable, Sendable {
    /// Reads a JSON object.
    ///
    /// Complexity: O(bytes).
    ///
    /// - Throws: ``CommandFailure`` where it is something else.
    init(json: [UInt8]) throws(CommandFailure)

    /// Writes a JSON object.
    ///
    /// - Throws: ``CommandFailure`` where it holds what JSON cannot: a message of bytes.
    func json() throws(CommandFailure) -> [UInt8]
}

extension APIMessage {
    /// Decodes all of a request, and checks what is passed on without being decoded.
    ///
    /// - Throws: ``CommandFailure/Reason/malformed``.
    static func body<Body: Decodable>(
        of json: [UInt8], as type: Body.Type = Body.self
    ) throws(CommandFailure) -> Body {
        guard StrictJSON.isObject(json) else {
            throw CommandFailure(.malformed, "the body has to be one JSON object in UTF-8")
        }
        do {
            return try Payload(json, format: .json).decoded(as: type)
        } catch {
            // Not of that form, or more of it than a decoder should see.
            throw CommandFailure(.malformed, "the body is not what it has to be")
        }
    }

    /// Writes an object member by member.
    package static func object(
        _ body: (inout JSONObject) throws -> Void
    ) throws(CommandFailure) -> [UInt8] {
        var object = JSONObject()
        do {
            try body(&object)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.malformed, "it cannot be written as JSON")
        }
        return object.bytes
    }
}

/// The answer where there is nothing to say but that it was done: `{}`.
public struct DoneAnswer: APIMessage {
    /// Creates the answer.
    public init() {}

    public init(json: [UInt8]) throws(CommandFailure) {}

    public func json() throws(CommandFailure) -> [UInt8] { JSONObject().bytes }
}
