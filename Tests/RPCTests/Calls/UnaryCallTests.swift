import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("Unary calls, simulated", .timeLimit(.minutes(10)))
struct UnaryCallTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test(arguments: [Echo.echo, Echo.inline].map(\.name))
    func `a call gets its reply`(name: String) throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let method = name == Echo.echo.name ? Echo.echo : Echo.inline
        for text in ["hi", "", String(repeating: "x", count: 300_000)] {
            let request = bytes(text)
            let reply = try world.run { try await connection.call(method, request) }
            #expect(reply == request)
        }
    }

    @Test func `calls made at once share sends, and so do their replies`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let before = world.network.sends
        let calls = (0..<100).map { number in
            world.start { try await connection.call(Echo.echo, [UInt8(number)]) }
        }
        world.network.runUntilIdle()
        for (number, call) in calls.enumerated() {
            #expect(call.value == [UInt8(number)])
        }
        let each = EventLoop.Configuration().jobsPerFlushMax
        #expect(world.network.sends - before == 2 * ((100 + each - 1) / each))
    }

    @Test func `an unknown method is unimplemented`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let call = world.start { try await connection.call(Echo.missing, []) }
        world.network.runUntilIdle()
        #expect(call.error?.code == .unimplemented)
        #expect(call.error?.message == "no method Missing of service test.Echo")
    }

    @Test func `an error of a handler travels with its details`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let call = world.start { try await connection.call(Echo.fail, [1, 2]) }
        world.network.runUntilIdle()
        let detail = RPCError.Detail(typeURL: "type/a", value: [1, 2])
        #expect(call.error == RPCError(.notFound, "no such thing", details: [detail]))
    }

    @Test func `any other error of a handler is unknown and keeps its text to itself`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let call = world.start { try await connection.call(Echo.fail, []) }
        world.network.runUntilIdle()
        #expect(call.error == RPCError(.unknown, "the handler failed"))
    }

    @Test func `metadata arrive as they were sent, without what the library adds`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        for _ in 0..<2 {
            _ = try world.run {
                let options = CallOptions(metadata: ["Trace": "1", "trace": "2"])
                return try await connection.call(Echo.echo, [], options: options)
            }
        }
        let seen = world.witness.seen.withLock { $0.metadata }
        #expect(seen == [["trace": "1", "trace": "2"], ["trace": "1", "trace": "2"]])
        #expect(seen[0]["TRACE"] == "1")
    }

    @Test(arguments: [Echo.echo, Echo.inline])
    func `metadata that a handler keeps are its call's for ever`(
        method: UnaryMethod<[UInt8], [UInt8]>
    ) throws {
        let witness = Witness()
        var handlers = RPCHandlers()
        handlers.handle(Echo.echo, on: .loop) { request, context in
            witness.note { $0.metadata.append(context.metadata) }
            return request
        }
        handlers.handleInline(Echo.inline) { request, context in
            witness.note { $0.metadata.append(context.metadata) }
            return request
        }
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect()
        for number in 0..<4 {
            _ = try world.run {
                let options = CallOptions(metadata: ["number": "\(number)"])
                return try await connection.call(method, [7], options: options)
            }
        }
        let seen = witness.seen.withLock { $0.metadata }
        #expect(seen.map { $0["number"] } == ["0", "1", "2", "3"])
    }

    @Test func `a call ends at its deadline, and its handler is cancelled`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let start = world.network.now
        let call = world.start {
            try await connection.call(Echo.wait, [], options: CallOptions(timeout: .seconds(2)))
        }
        world.network.run(for: .milliseconds(1_999))
        #expect(!call.isOver)
        #expect(world.network.run(within: .seconds(1)) { call.isOver })
        #expect(world.network.now - start < .milliseconds(2_010))
        #expect(call.error?.code == .deadlineExceeded)
        world.network.run(for: .milliseconds(10))
        #expect(world.witness.cancelled == 1)
    }

    @Test func `a plain server's handler ends at the deadline too`() throws {
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = false
        let world = try RPCWorld(configuration: configuration)
        let connection = try world.connect()
        let call = world.start {
            try await connection.call(Echo.wait, [], options: CallOptions(timeout: .seconds(2)))
        }
        world.network.run(for: .milliseconds(2_100))
        #expect(call.error?.code == .deadlineExceeded)
        #expect(world.witness.cancelled == 1)
    }

    @Test func `a call without a timeout of its own has the connection's`() throws {
        let world = try RPCWorld()
        var configuration = RPCConfiguration()
        configuration.callTimeout = .seconds(3)
        let connection = try world.connect(configuration)
        let call = world.start { try await connection.call(Echo.wait, []) }
        let longer = world.start {
            try await connection.call(Echo.wait, [], options: CallOptions(timeout: .seconds(5)))
        }
        world.network.run(for: .seconds(4))
        #expect(call.error?.code == .deadlineExceeded)
        #expect(!longer.isOver)
        world.network.run(for: .seconds(2))
        #expect(longer.error?.code == .deadlineExceeded)
    }

    @Test func `the deadline of the served call bounds the calls it makes`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let deadline = world.network.now + .seconds(1)
        let call = world.start {
            try await RPCDeadline.$current.withValue(deadline) {
                try await connection.call(Echo.echo, [])
            }
        }
        world.network.runUntilIdle()
        #expect(call.isOver)
        let seen = try #require(world.witness.seen.withLock { $0.deadlines.last } ?? nil)
        #expect(seen - deadline < .milliseconds(2))
    }

    @Test func `a deadline that has passed ends a call before it is sent`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let call = world.start {
            try await connection.call(Echo.echo, [], options: CallOptions(timeout: .zero))
        }
        world.network.runUntilIdle()
        #expect(call.error?.code == .deadlineExceeded)
        #expect(call.error?.execution == .notRun)
        #expect(world.witness.started == 0)
    }

    @Test func `cancelling the caller cancels the handler`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let call = world.start { try await connection.call(Echo.wait, []) }
        world.network.runUntilIdle()
        #expect(world.witness.started == 2)
        call.task?.cancel()
        world.network.runUntilIdle()
        #expect(call.error?.code == .cancelled)
        #expect(call.error?.execution == .unknown)
        #expect(world.witness.cancelled == 1)
    }

    @Test func `a caller that was cancelled before does not call`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let call = world.start { try await connection.call(Echo.echo, []) }
        call.task?.cancel()
        world.network.runUntilIdle()
        #expect(call.error?.code == .cancelled)
        #expect(call.error?.execution == .notRun)
        #expect(world.witness.started == 0)
    }

    @Test func `calls on a lost connection fail at once, and later ones too`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let call = world.start { try await connection.call(Echo.wait, []) }
        world.network.runUntilIdle()
        connection.close()
        world.network.runUntilIdle()
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
        #expect(world.witness.cancelled == 1)
        let late = world.start { try await connection.call(Echo.echo, []) }
        world.network.runUntilIdle()
        #expect(late.error?.code == .unavailable)
        #expect(late.error?.execution == .notRun)
    }

    @Test func `calls beyond the limit wait, or fail where they are to`() throws {
        let world = try RPCWorld()
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = 2
        configuration.whenFull = .wait(callsMax: 1)
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        let calls = (0..<4).map { _ in
            world.start {
                try await connection.call(
                    Echo.wait, [], options: CallOptions(timeout: .seconds(1)))
            }
        }
        world.network.runUntilIdle()
        #expect(world.witness.started == 3)
        #expect(calls[3].error?.code == .resourceExhausted)
        #expect(calls[3].error?.execution == .notRun)
        #expect(!calls[2].isOver)
        world.network.run(for: .milliseconds(1_100))
        #expect(calls.allSatisfy { $0.isOver })
        #expect(calls[2].error?.execution == .notRun)
    }

    @Test func `a call that waited is sent when there is room`() throws {
        let world = try RPCWorld()
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = 1
        let connection = try world.connect(configuration)
        let calls = (0..<50).map { number in
            world.start { try await connection.call(Echo.echo, [UInt8(number)]) }
        }
        world.network.runUntilIdle()
        #expect(calls.allSatisfy { $0.isSuccess })
    }

    @Test func `requests and replies that are too long fail with status 8`() throws {
        var small = RPCConfiguration()
        small.messageBytesMax = 1_000
        let world = try RPCWorld()
        let connection = try world.connect(small)
        let request = [UInt8](repeating: 1, count: 1_000)
        let call = world.start { try await connection.call(Echo.echo, request) }
        world.network.runUntilIdle()
        #expect(call.error?.code == .resourceExhausted)
        #expect(call.error?.execution == .notRun)
        let other = try RPCWorld(configuration: small)
        let large = try other.connect()
        let refused = other.start { try await large.call(Echo.echo, request) }
        other.network.runUntilIdle()
        #expect(refused.error?.code == .resourceExhausted)
        #expect(refused.error?.execution == .answered)
    }

    @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
    func `a one-way call is served, whatever the peers know`(
        clientNegotiates: Bool, serverNegotiates: Bool
    ) throws {
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = serverNegotiates
        let world = try RPCWorld(configuration: configuration)
        configuration.negotiatesExtensions = clientNegotiates
        let connection = try world.connect(configuration)
        for _ in 0..<3 {
            try world.run { try await connection.send(Echo.echo, [1]) }
            world.network.runUntilIdle()
        }
        #expect(world.witness.started == 3)
        let inFlight = connection.peer.core.outgoing.count
        #expect(inFlight == 0)
    }

    @Test func `a server calls its client back on the same connection`() throws {
        let world = try RPCWorld()
        let witness = Witness()
        var handlers = RPCHandlers()
        handlers.handle(Echo.echo, on: .loop) { request, _ in request.reversed() }
        let connection = try world.connect(handlers: handlers)
        try world.negotiate(connection)
        let peer = try #require(world.server.peers(on: world.loop).first)
        let reply = try world.run { try await peer.call(Echo.echo, [1, 2, 3]) }
        #expect(reply == [3, 2, 1])
        withExtendedLifetime(witness) {}
    }

    @Test func `a drained server ends its calls, refuses others, and closes`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let running = world.start {
            try await connection.call(Echo.wait, [], options: CallOptions(timeout: .seconds(2)))
        }
        world.network.runUntilIdle()
        let drain = world.start { [server = world.server] in await server.drain() }
        world.network.runUntilIdle()
        let late = world.start { try await connection.call(Echo.echo, []) }
        world.network.runUntilIdle()
        #expect(late.error?.code == .unavailable)
        #expect(late.error?.execution == .notRun)
        #expect(!running.isOver && !drain.isOver)
        world.network.run(for: .seconds(3))
        #expect(running.error?.code == .deadlineExceeded)
        #expect(drain.isOver)
        #expect(world.network.openDescriptors == 0)
    }

    @Test func `a silent peer is given up by its ping's timeout`() throws {
        let world = try RPCWorld()
        var configuration = RPCConfiguration()
        configuration.callTimeout = nil
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        let call = world.start { try await connection.call(Echo.wait, []) }
        world.network.runUntilIdle()
        // The server answers nothing more, and keeps its socket open.
        for peer in world.server.peers(on: world.loop) { peer.peer.connection.pauseReading() }
        world.network.run(for: .seconds(29))
        #expect(!call.isOver)
        world.network.run(for: .seconds(2))
        #expect(call.error?.code == .unavailable)
    }
}
