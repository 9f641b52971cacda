import NetPoll
import NetPollTesting
import Seeds
import Testing

@testable import RPC

private func request(
    _ id: UInt32, _ method: UnaryMethod<[UInt8], [UInt8]>, _ payload: [UInt8] = []
) -> Frame {
    Sample.request(id, service: method.service, method: method.name, payload)
}

@Suite("Clients that break the rules, real sockets", .timeLimit(.minutes(5)))
struct HostileClientSocketTests {
    @Test(arguments: seeds(10))
    func `garbage ends its own connection and nothing else`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let world = try await SocketWorld()
        let connection = try await world.connect()
        let frames = Vectors.all.keys.sorted().compactMap { Vectors.all[$0] }
        for _ in 0..<20 {
            let peer = try await world.connectPeer()
            var bytes = frames.randomElement(using: &random) ?? []
            let spoiled = Int.random(in: 0..<bytes.count, using: &random)
            bytes[spoiled] = .random(in: 0...255, using: &random)
            try await peer.send(bytes: bytes)
            peer.endSending()
            // Whatever was answered, the server ends it.
            while try await peer.next() != nil {}
            peer.abort()
            let reply = try await connection.call(Echo.echo, [1])
            #expect(reply == [1], "seed \(seed)")
        }
        await world.wait { await world.peers().count == 1 }
        await world.close()
    }

    @Test func `lengths that lie end their call or their connection`() async throws {
        let world = try await SocketWorld()
        let peer = try await world.connectPeer()
        // A field that is longer than its request.
        try await peer.send(Frame(.request, stream: 1, [0x0a, 100, 0x61]))
        let malformed = try await peer.answer()
        #expect(malformed == .init(stream: 1, code: .invalidArgument))
        // A frame that is longer than is taken, and is passed over.
        try await peer.send(Frame(.request, stream: 3, [UInt8](repeating: 0, count: 5 << 20)))
        let oversized = try await peer.answer()
        #expect(oversized == .init(stream: 3, code: .resourceExhausted))
        try await peer.send(request(5, Echo.inline, [7]))
        let reply = try await peer.answer()
        #expect(reply == .init(stream: 5, payload: [7]))
        // A length that no frame has.
        try await peer.send(bytes: [1, 0, 0, 0, 0, 0, 0, 7, 1, 0])
        let end = try await peer.next()
        #expect(end == nil)
        await world.wait { await world.peers().isEmpty }
        await world.close()
    }

    @Test func `an id that is used again is refused, and its call runs once`() async throws {
        let world = try await SocketWorld()
        let peer = try await world.connectPeer()
        try await peer.send(request(3, Echo.wait), request(3, Echo.wait))
        let again = try await peer.answer()
        #expect(again == .init(stream: 3, code: .invalidArgument))
        // Nor may it fall.
        try await peer.send(request(1, Echo.wait))
        let fallen = try await peer.answer()
        #expect(fallen == .init(stream: 1, code: .invalidArgument))
        try await peer.send(request(5, Echo.echo, [7]))
        let reply = try await peer.answer()
        #expect(reply == .init(stream: 5, payload: [7]))
        #expect(world.witness.started == 2)
        peer.abort()
        await world.wait { world.witness.cancelled == 1 }
        await world.wait { await world.peers().isEmpty }
        await world.close()
    }

    @Test func `a draining server refuses what comes later, answers pings, and ends`() async throws
    {
        let world = try await SocketWorld()
        let peer = try await world.connectPeer()
        try await peer.negotiate(request(3, Echo.wait))
        await world.wait { world.witness.started == 2 }
        async let drained: Void = world.server.drain(deadline: .seconds(60))
        let last = try await peer.frame(.goAway)
        #expect(
            last == (try Sample.control(.goAway(GoAway(lastAccepted: 3, code: .unavailable)))))
        try await peer.send(request(5, Echo.echo), try Sample.control(.ping(7)))
        let refusal = try await peer.answer()
        #expect(refusal == .init(stream: 5, code: .unavailable))
        _ = try await peer.frame(.pong)
        try await peer.send(try Sample.control(.cancel(stream: 3, code: .cancelled)))
        let end = try await peer.next()
        #expect(end == nil)
        await peer.close()
        await drained
        #expect(world.witness.started == 2)
        #expect(world.witness.cancelled == 1)
        await world.close()
    }

    @Test func `a client that falls silent is given up by pings, and its handlers are cancelled`()
        async throws
    {
        var configuration = RPCConfiguration()
        configuration.pingInterval = .milliseconds(200)
        configuration.pingTimeout = .milliseconds(200)
        let world = try await SocketWorld(configuration: configuration)
        let peer = try await world.connectPeer()
        try await peer.negotiate(request(3, Echo.wait))
        _ = try await peer.frame(.ping)
        // It hears, and says nothing.
        let end = try await peer.next()
        #expect(end == nil)
        await world.wait { world.witness.cancelled == 1 }
        await world.wait { await world.peers().isEmpty }
        await world.close()
    }

    @Test func `a client that does not read is ended at the bound of its queue, and slows nobody`()
        async throws
    {
        var configuration = RPCConfiguration()
        configuration.connection.sendQueueBytesMax = 1 << 20
        let world = try await SocketWorld(configuration: configuration)
        let connection = try await world.connect()
        let peer = try await world.connectPeer()
        // Far more than the kernel keeps of it.
        let (payload, requestsMax) = (Sample.text(256 << 10), 512 as UInt32)
        var sent: UInt32 = 0
        do {
            while sent < requestsMax {
                try await peer.send(request(2 * sent + 1, Echo.inline, payload))
                sent += 1
            }
        } catch is ConnectionError {
            // It was ended, as it has to be.
        }
        #expect(sent < requestsMax)
        let reply = try await connection.call(Echo.inline, [1])
        #expect(reply == [1])
        await world.wait { await world.peers().count == 1 }
        await world.close()
    }
}

@Suite("Servers that break the rules, real sockets", .timeLimit(.minutes(5)))
struct HostileServerSocketTests {
    @Test func `an answer that comes twice, or to no call, ends no other`() async throws {
        let world = try await SocketWorld()
        let (connection, server) = try await world.connectToPeer()
        async let first = connection.call(Echo.echo, [1])
        let one = try await server.frame(.request).header.stream
        async let second = connection.call(Echo.echo, [2])
        let two = try await server.frame(.request).header.stream
        let answer = Sample.response(one, [10])
        try await server.send(
            answer, answer, Sample.response(99, [11]), Sample.response(two, [20]), answer)
        let replies = try await [first, second]
        #expect(replies == [[10], [20]])
        async let third = connection.call(Echo.echo, [3])
        let three = try await server.frame(.request).header.stream
        try await server.send(answer, Sample.response(three, [30]), answer)
        let reply = try await third
        #expect(reply == [30])
        let left = await world.calls(of: connection)
        #expect(left == 0)
        await server.close()
        await world.close()
    }

    @Test func `garbage ends the calls of its connection at once, and says that they may have run`()
        async throws
    {
        let world = try await SocketWorld()
        let (connection, server) = try await world.connectToPeer()
        let call = Task { try await connection.call(Echo.echo, [1]) }
        _ = try await server.frame(.request)
        try await server.send(bytes: [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 2, 0])
        let error = await failure { try await call.value }
        #expect(error?.code == .unavailable)
        #expect(error?.execution == .unknown)
        let late = await failure { try await connection.call(Echo.echo, []) }
        #expect(late?.code == .unavailable)
        #expect(late?.execution == .notRun)
        server.abort()
        await world.close()
    }

    @Test func `a server that dies within a frame loses its calls at once`() async throws {
        let world = try await SocketWorld()
        let (connection, server) = try await world.connectToPeer()
        let call = Task { try await connection.call(Echo.echo, [1]) }
        let id = try await server.frame(.request).header.stream
        let answer = Sample.response(id, Sample.text(1_000)).bytes
        try await server.send(bytes: Array(answer.dropLast(500)))
        server.endSending()
        let error = await failure { try await call.value }
        #expect(error?.code == .unavailable)
        #expect(error?.execution == .unknown)
        let left = await world.calls(of: connection)
        #expect(left == 0)
        server.abort()
        await world.close()
    }

    @Test func `after a goaway what was accepted is answered, and what else comes means nothing`()
        async throws
    {
        let world = try await SocketWorld()
        let (connection, server) = try await world.connectToPeer()
        async let hello = connection.call(Echo.echo, [])
        try await server.acceptNegotiation()
        _ = try await hello
        let accepted = Task { try await connection.call(Echo.echo, [1]) }
        let one = try await server.frame(.request).header.stream
        let refused = Task { try await connection.call(Echo.echo, [2]) }
        let two = try await server.frame(.request).header.stream
        let goAway = try Sample.control(
            .goAway(GoAway(lastAccepted: one, code: .unavailable, text: "restart")))
        try await server.send(
            goAway, Sample.response(two, [2]), Frame(.data, stream: two, [1]),
            try Sample.control(.cancel(stream: two, code: .aborted)),
            try Sample.control(.window(stream: two, credit: 10)), goAway,
            Sample.response(one, [1]))
        let reply = try await accepted.value
        #expect(reply == [1])
        let error = await failure { try await refused.value }
        #expect(error?.code == .unavailable)
        #expect(error?.execution == .notRun)
        let late = await failure { try await connection.call(Echo.echo, []) }
        #expect(late?.code == .unavailable)
        #expect(late?.execution == .notRun)
        // With its last call the connection ends.
        let end = try await server.next()
        #expect(end == nil)
        await server.close()
        await world.close()
    }

    @Test func `a server that falls silent is given up by pings`() async throws {
        var configuration = RPCConfiguration()
        configuration.callTimeout = nil
        configuration.pingInterval = .milliseconds(200)
        configuration.pingTimeout = .milliseconds(200)
        let world = try await SocketWorld()
        let (connection, server) = try await world.connectToPeer(configuration)
        async let hello = connection.call(Echo.echo, [])
        try await server.acceptNegotiation()
        _ = try await hello
        let error = await failure { try await connection.call(Echo.echo, [1]) }
        #expect(error?.code == .unavailable)
        #expect(error?.execution == .unknown)
        let left = await world.calls(of: connection)
        #expect(left == 0)
        server.abort()
        await world.close()
    }

    @Test func `a plain server gets nothing that plain ttrpc does not know`() async throws {
        let world = try await SocketWorld()
        let (connection, server) = try await world.connectToPeer()
        async let hello = connection.call(Echo.echo, [])
        let first = try await server.frame(.request)
        try await server.send(Sample.response(first.header.stream))
        _ = try await hello
        async let sum = connection.call(Work.gather) { numbers in
            for number in 1...2 as ClosedRange<UInt8> { try await numbers.send([number]) }
        }
        let opened = try await server.frame(.request)
        #expect(opened.header.flags == .remoteOpen)
        let id = opened.header.stream
        for expected in [
            Frame(.data, stream: id, [1]), Frame(.data, stream: id, [2]),
            Frame(.data, stream: id, flags: .closing),
        ] {
            let frame = try await server.frame(.data)
            #expect(frame == expected)
        }
        try await server.send(Sample.response(id, [3]))
        let reply = try await sum
        #expect(reply == [3])
        // A one-way call is one whose answer is dropped, and of a cancellation nothing is said.
        try await connection.send(Echo.echo, [1])
        let oneWay = try await server.frame(.request)
        #expect(oneWay.header.flags == [])
        let call = Task { try await connection.call(Echo.echo, [2]) }
        _ = try await server.frame(.request)
        call.cancel()
        let error = await failure { try await call.value }
        #expect(error?.code == .cancelled)
        connection.close()
        let end = try await server.next()
        #expect(end == nil)
        await world.close()
    }
}
