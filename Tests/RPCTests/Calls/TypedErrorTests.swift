import NetPoll
import NetPollTesting
import RPCJSON
import Testing

@testable import RPC

private struct OutOfStock: RPCTypedError, RPCJSONMessage, Equatable {
    static let typeURL = "type.googleapis.com/test.OutOfStock"
    var left: Int
    var code: StatusCode { .failedPrecondition }
}

/// Of the same name on the wire, and with other fields.
private struct SoldOut: RPCTypedError, RPCJSONMessage {
    static let typeURL = OutOfStock.typeURL
    var since: String
    var code: StatusCode { .failedPrecondition }
}

private struct Unwritable: RPCTypedError {
    static let typeURL = "type.googleapis.com/test.Unwritable"
    struct Failure: Error {}

    var code: StatusCode { .aborted }

    init() {}
    init(decoding payload: RawSpan) throws { throw Failure() }
    func encode(to payload: inout PayloadWriter) throws { throw Failure() }
}

@Suite("Typed errors, simulated", .timeLimit(.minutes(5)))
struct TypedErrorTests {
    private func failure(
        _ method: UnaryMethod<[UInt8], [UInt8]>, _ error: any Error
    ) throws -> RPCError {
        var handlers = RPCHandlers()
        handlers.handle(Echo.fail, on: .loop) { _, _ in throw error }
        handlers.handleInline(Echo.inline) { _, _ in throw error }
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect()
        let call = world.start { try await connection.call(method, []) }
        world.network.runUntilIdle()
        return try #require(call.error)
    }

    @Test(arguments: [Echo.fail, Echo.inline])
    func `what a handler throws is what its caller reads`(
        method: UnaryMethod<[UInt8], [UInt8]>
    ) throws {
        let error = try failure(method, OutOfStock(left: 2))
        #expect(error.code == .failedPrecondition)
        #expect(error.execution == .answered)
        #expect(error.typed(OutOfStock.self) == OutOfStock(left: 2))
    }

    @Test func `an error of another type, or that cannot be decoded, is not read`() throws {
        let error = try failure(Echo.fail, OutOfStock(left: 2))
        #expect(error.typed(Unwritable.self) == nil)
        #expect(error.typed(SoldOut.self) == nil)
        #expect(RPCError(.notFound).typed(OutOfStock.self) == nil)
    }

    @Test func `one that cannot be encoded is an internal error`() throws {
        let error = try failure(Echo.fail, Unwritable())
        #expect(error.code == .internal)
        #expect(error.details.isEmpty)
    }
}
