import NetPoll
import NetPollTesting
import Testing

@testable import RPC

/// What ends a call in ``WriterStatusTests``.
enum EndOfCall: CaseIterable, Sendable {
    case connectionLost
    case deadline
    case goAway
    case tooManyCalls
    case handlerFailed

    var status: (code: StatusCode, execution: RPCError.Execution) {
        switch self {
        case .connectionLost: (.unavailable, .unknown)
        case .deadline: (.deadlineExceeded, .unknown)
        case .goAway: (.unavailable, .notRun)
        case .tooManyCalls: (.resourceExhausted, .notRun)
        case .handlerFailed: (.outOfRange, .answered)
        }
    }
}

/// How a call's writer finds out.
enum WriterStep: CaseIterable, Sendable {
    /// Its message waits for credit, or for the call to be sent.
    case isBlocked
    /// As that, with one that is sent in pieces.
    case isBlockedLong
    case sendsLater
}

@Suite("What writers are told of their call's end, simulated", .timeLimit(.minutes(10)))
struct WriterStatusTests {
    private enum Deaf: RPCService {
        static let serviceName = "test.Deaf"
        static let wait = bidirectional("Wait", [UInt8].self, [UInt8].self)
        static let fail = bidirectional("Fail", [UInt8].self, [UInt8].self)
    }

    /// One handler waits for ever, the other until it is told to fail.
    private static func handlers(_ failing: AsyncStream<Void>) -> RPCHandlers {
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Deaf.wait, on: .loop) { _, _, _ in
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            for await _ in stream {}
            withExtendedLifetime(continuation) {}
        }
        handlers.handle(Deaf.fail, on: .loop) { _, _, _ in
            for await _ in failing { break }
            throw RPCError(.outOfRange, "nobody listens")
        }
        return handlers
    }

    private static func configuration(_ end: EndOfCall) -> RPCConfiguration {
        var configuration = RPCConfiguration()
        configuration.callTimeout = .seconds(60)
        switch end {
        case .connectionLost, .deadline, .handlerFailed: break
        case .goAway: configuration.outgoingCallsMax = 1
        case .tooManyCalls:
            configuration.outgoingCallsMax = 1
            configuration.whenFull = .fail
        }
        return configuration
    }

    @Test(arguments: EndOfCall.allCases, WriterStep.allCases)
    func `a send throws what its call failed with`(end: EndOfCall, step: WriterStep) throws {
        let (failing, fails) = AsyncStream<Void>.makeStream()
        let (sending, sends) = AsyncStream<Void>.makeStream()
        let world = try RPCWorld(handlers: Self.handlers(failing))
        let connection = try world.connect(Self.configuration(end))
        try world.negotiate(connection)
        // The client's deadline comes before the server's word of it.
        world.network.faults.delayMin = .milliseconds(10)
        if end == .goAway || end == .tooManyCalls {
            _ = world.start { try await connection.call(Echo.wait, []) }
            world.network.runUntilIdle()
        }
        let options = CallOptions(timeout: end == .deadline ? .seconds(1) : nil)
        let method = end == .handlerFailed ? Deaf.fail : Deaf.wait
        let message = Sample.text(step == .isBlockedLong ? 100_000 : 10_000)
        let call = world.start {
            try await connection.call(method, options: options) { requests, _ in
                if step == .sendsLater { for await _ in sending { break } }
                while true { try await requests.send(message) }
            }
        }
        world.network.run(for: .milliseconds(900))
        #expect(call.isOver == (end == .tooManyCalls && step != .sendsLater))
        if end == .connectionLost { connection.close() }
        if end == .handlerFailed { fails.yield() }
        if end == .goAway {
            _ = world.start { [server = world.server] in
                await server.drain(deadline: .seconds(60))
            }
        }
        world.network.run(for: .milliseconds(200))
        #expect(call.isOver == (step != .sendsLater))
        sends.yield()
        world.network.run(for: .milliseconds(100))
        #expect(call.error?.code == end.status.code)
        #expect(call.error?.execution == end.status.execution)
    }
}
