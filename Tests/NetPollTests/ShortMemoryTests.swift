import EchoWorlds
import Glibc
import NetPoll
import SystemCallFilter
import Testing

@Suite("A kernel without memory for what is asked of it", .timeLimit(.minutes(10)))
struct ShortMemoryTests {
    /// In a process of its own, for the filter lasts.
    @Test func `what hung up while it was paused is read although epoll has no memory left`()
        async
    {
        await #expect(processExitsWith: .success) {
            let world = try DriverKind.epoll.makeWorld()
            let recorders = Recorders()
            let address = try world.loop.listen(on: .v4(0x0100_007f, port: 0)) {
                recorders.make($0, $1)
            }.address
            let client = try #require(world.connect(to: address))
            #expect(world.run { recorders.all.first?.connection != nil })
            let recorder = try #require(recorders.all.first)
            recorder.connection?.pauseReading()
            client.send(Array("last".utf8))
            client.sendEnd()
            recorder.connection?.closeWrite()
            #expect(world.run { client.isEnded })
            let before = world.loop.metrics.turns
            let end = world.loop.now + .milliseconds(50)
            while world.loop.now < end { world.loop.turn(until: end) }
            let turns = world.loop.metrics.turns - before
            #expect(turns < 20, "nothing spins while it is paused")
            #expect(system_call_filter_refuse_epoll_add(ENOSPC) == 0)
            recorder.connection?.resumeReading()
            #expect(world.run { recorder.closeReason == .peer })
            #expect(recorder.received == Array("last".utf8))
        }
    }

    /// A world whose kernel queue has no memory for the first `count` such filters.
    private final class Refusing {
        let queue = SimulatedKernelQueue()
        let world: SystemWorld
        private(set) var left: Int

        init(_ count: Int, of filter: KernelEvent.Filter) {
            left = count
            world = SystemWorld(driver: KqueueDriver(queue: queue))
            queue.refuses = { [unowned self] change in
                guard change.filter == filter, change.flags.contains(.add), left > 0 else {
                    return nil
                }
                left -= 1
                return ENOMEM
            }
        }
    }

    @Test(arguments: [Listener.ExhaustionPolicy.shed, .pause(.milliseconds(1))])
    func `a listener that a kernel queue has no memory for accepts when there is some`(
        policy: Listener.ExhaustionPolicy
    ) throws {
        let refusing = Refusing(3, of: .read)
        let world = refusing.world
        let recorders = Recorders()
        var configuration = Listener.Configuration()
        configuration.exhaustion = policy
        let address = try world.loop.listen(
            on: .v4(0x0100_007f, port: 0), configuration: configuration
        ) { recorders.make($0, $1) }.address
        let early = try #require(world.connect(to: address))
        #expect(world.run { refusing.left == 0 })
        let late = try #require(world.connect(to: address))
        late.send([7])
        #expect(world.run { recorders.all.contains { $0.received == [7] } })
        #expect(early.isEnded == (policy == .shed))
        let failures = world.loop.metrics.acceptFailures
        #expect(failures == 3)
    }

    @Test func `a connect that a kernel queue has no memory for fails`() throws {
        let refusing = Refusing(1, of: .write)
        let world = refusing.world
        let listener = try world.loop.listen(on: .v4(0x0100_007f, port: 0)) { _, _ in Recorder() }
        var reason: ConnectError.Reason?
        world.loop.connect(to: listener.address) { result in
            if case .failure(let error) = result { reason = error.reason }
        }
        #expect(world.run { reason != nil })
        guard case .failed(let error) = reason else {
            Issue.record("\(String(describing: reason))")
            return
        }
        #expect(error.code == ENOMEM)
        #expect(world.run { world.loop.registrations == 1 }, "the listener's")
    }

    @Test func `a datagram socket that a kernel queue has no memory for can go on reading`() throws
    {
        let refusing = Refusing(2, of: .read)
        let world = refusing.world
        let (near, far) = (Catcher(), Catcher())
        let any = SocketAddress.v4(0x0100_007f, port: 0)
        let server = try world.loop.openDatagramSocket(on: any, handler: far)
        #expect(world.run { far.errors.count == 1 })
        server.resumeReading()
        #expect(world.run { far.errors.count == 2 })
        #expect(far.errors.allSatisfy { $0.code == ENOMEM })
        server.resumeReading()
        let client = try world.loop.openDatagramSocket(on: any, handler: near)
        client.send(bytes: [1], to: server.address)
        #expect(world.run { far.received == [[1]] })
        #expect(near.errors.isEmpty)
    }

    @Test func `datagrams leave although a kernel queue has no memory to tell of room`() throws {
        let refusing = Refusing(3, of: .write)
        let world = refusing.world
        let (near, far) = (Catcher(), Catcher())
        let name = "netpoll-\(UInt64.random(in: 0...(.max)))"
        let server = try world.loop.openDatagramSocket(on: .abstract(name), handler: far)
        var configuration = DatagramSocket.Configuration()
        configuration.peer = server.address
        let client = try world.loop.openDatagramSocket(
            on: .abstract("client-\(name)"), configuration: configuration, handler: near)
        let sent = (0..<1_000).map { [UInt8($0 >> 8), UInt8($0 & 255)] }
        for bytes in sent { client.send(bytes: bytes) }
        #expect(world.run { far.received.count == sent.count })
        #expect(far.received == sent)
        #expect(refusing.left == 0)
    }
}
