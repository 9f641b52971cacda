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
}
