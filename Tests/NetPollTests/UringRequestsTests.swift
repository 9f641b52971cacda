import Glibc
import NetPoll
import NetPollTesting
import Testing

/// Requests that name a descriptor are written before the kernel sees them.
@Suite("io_uring's requests for descriptors that are closed", .timeLimit(.minutes(10)))
struct UringRequestsTests {
    private let any = SocketAddress.v4(0x0100_007f, port: 0)

    private final class Ending: TurnTarget {
        let act: () -> Void

        init(_ act: @escaping () -> Void) { self.act = act }

        func turnEnded(on loop: EventLoop) { act() }
    }

    /// In a process of its own, where nobody else takes the descriptor's number.
    @Test func `a receive asked for in the turn of a close takes nothing of others`() async {
        await #expect(processExitsWith: .success) {
            let world = SystemWorld(driver: try UringDriver())
            let recorders = Recorders()
            let listener = try world.loop.listen(on: .v4(0x0100_007f, port: 0)) {
                recorders.make($0, $1)
            }
            let client = try #require(world.connect(to: listener.address))
            #expect(world.run { recorders.all.first?.connection != nil })
            let recorder = try #require(recorders.all.first)
            let connection = try #require(recorder.connection)
            let descriptor = connection.descriptor
            connection.pauseReading()
            // Until the kernel has ended the receive.
            for _ in 0..<4 { world.loop.turn(until: world.loop.now) }
            // No lower number is free.
            while open("/dev/null", O_RDONLY) < descriptor {}
            var pair: [Int32] = [-1, -1]
            recorder.onClose = {
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
                for end in pair { #expect(write(end, "mine", 4) == 4) }
            }
            let ending = Ending {
                connection.resumeReading()
                connection.abort()
            }
            world.loop.runAtEndOfTurn(ending)
            #expect(world.run { recorder.closeReason == .local })
            try #require(pair.contains(descriptor), "the number was to be taken again")
            for _ in 0..<4 { world.loop.turn(until: world.loop.now) }
            for end in pair {
                var bytes = [UInt8](repeating: 0, count: 8)
                #expect(recv(end, &bytes, bytes.count, Int32(MSG_DONTWAIT)) == 4)
                #expect(bytes.prefix(4) == Array("mine".utf8)[...])
            }
            #expect(world.run { client.isReset })
        }
    }

    @Test func `what is opened and closed in one turn asks the kernel for nothing`() throws {
        let driver = try UringDriver()
        let world = SystemWorld(driver: driver)
        world.loop.turn(until: world.loop.now)
        let before = driver.batches.requests
        let listener = try world.loop.listen(on: any) { _, _ in Recorder() }
        listener.close()
        let socket = try world.loop.openDatagramSocket(on: any, handler: Catcher())
        socket.close()
        for _ in 0..<4 { world.loop.turn(until: world.loop.now) }
        let asked = driver.batches.requests - before
        #expect(asked == 0)
        #expect(world.loop.registrations == 0)
    }

    @Test func `pausing and resuming again and again in one turn makes one request`() throws {
        let driver = try UringDriver()
        let world = SystemWorld(driver: driver)
        let catcher = Catcher()
        let socket = try world.loop.openDatagramSocket(on: any, handler: catcher)
        world.loop.turn(until: world.loop.now)
        socket.pauseReading()
        for _ in 0..<4 { world.loop.turn(until: world.loop.now) }
        let before = driver.batches.requests
        for _ in 0..<1_000 {
            socket.resumeReading()
            socket.pauseReading()
        }
        socket.resumeReading()
        world.loop.turn(until: world.loop.now)
        let asked = driver.batches.requests - before
        #expect(asked == 1)
        let client = try world.loop.openDatagramSocket(on: any, handler: Catcher())
        client.send(bytes: [7], to: socket.address)
        #expect(world.run { catcher.received == [[7]] })
    }
}
