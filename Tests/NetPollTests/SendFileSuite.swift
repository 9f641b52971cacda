import Glibc
import NetPoll
import NetPollTesting
import Testing

@Suite("Sending files, on every driver", .timeLimit(.minutes(10)))
struct SendFileSuite {
    private struct Setup {
        let world: any World
        let client: any Client
        let recorder: Recorder
        let connection: Connection

        init(_ driver: DriverKind) throws {
            world = try driver.makeWorld()
            let recorders = Recorders { $0.closesAtEnd = false }
            let address = try world.loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
                recorders.make($0, $1)
            }.address
            client = try #require(world.connect(to: address))
            let isOpen = world.run { recorders.all.first?.connection != nil }
            #expect(isOpen)
            recorder = try #require(recorders.all.first)
            connection = try #require(recorder.connection)
        }
    }

    /// Bytes that differ from those a block before, and are the same again after 128 KiB only.
    private static func content(_ count: Int) -> [UInt8] {
        let period = (0..<1 << 17).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
        var content: [UInt8] = []
        content.reserveCapacity(count)
        while content.count < count { content += period.prefix(count - content.count) }
        return content
    }

    @Test(arguments: DriverKind.allCases, [0, 1, 70_000, 5_000_000])
    func `a file is sent in order with what is written before and after`(
        driver: DriverKind, count: Int
    ) throws {
        let content = Self.content(count + 10)
        let file = try makeFile(content)
        #expect(try file.byteCount == count + 10)
        let setup = try Setup(driver)
        setup.connection.write(text: "<")
        setup.connection.send(file, offset: 10, count: count)
        setup.connection.write(text: "|")
        setup.connection.send(file, offset: 0, count: min(5, count))
        setup.connection.write(text: ">")
        let expected =
            Array("<".utf8) + content[10...] + Array("|".utf8) + content[..<min(5, count)]
            + Array(">".utf8)
        #expect(setup.world.run { setup.client.received.count == expected.count })
        #expect(setup.client.received == expected)
        #expect(setup.connection.queuedBytes == 0)
        #expect(!setup.connection.ownsBuffers)
    }

    @Test(arguments: DriverKind.allCases)
    func `a waiting file is backpressure, and close waits for it`(driver: DriverKind) throws {
        let content = Self.content(20_000_000)
        let file = try makeFile(content)
        let setup = try Setup(driver)
        setup.client.stall()
        #expect(
            setup.connection.send(file, offset: 0, count: content.count) == .aboveHighWatermark)
        #expect(setup.connection.write(text: "end") == .aboveHighWatermark)
        #expect(setup.world.run { setup.recorder.events.contains("high") })
        setup.client.resume()
        #expect(setup.world.run { setup.recorder.events.contains("low") })
        setup.connection.send(file, offset: 0, count: 1_000_000)
        setup.connection.close()
        #expect(setup.world.run { setup.client.isEnded })
        #expect(setup.client.received.count == 21_000_003)
    }

    /// A peer that ended its side and is gone is told by EPIPE, with which the kernel raises SIGPIPE.
    @Test(arguments: DriverKind.kernels)
    func `a file for a peer that is gone ends the connection and not the process`(
        driver: DriverKind
    ) async {
        await #expect(processExitsWith: .success) { [driver] in
            signal(SIGPIPE, SIG_DFL)
            let setup = try SendFileSuite.Setup(driver)
            let file = try makeFile(SendFileSuite.content(100_000))
            setup.client.sendEnd()
            precondition(setup.world.run { setup.recorder.events.contains("end") })
            setup.client.reset()
            setup.connection.send(file, offset: 0, count: 100_000)
            precondition(setup.world.run { setup.recorder.closeReason == .reset })
        }
    }

    @Test(arguments: DriverKind.allCases)
    func `a file shorter than promised fails the connection`(driver: DriverKind) throws {
        let file = try makeFile([1, 2, 3])
        let setup = try Setup(driver)
        setup.connection.send(file, offset: 0, count: 4)
        #expect(setup.world.run { setup.recorder.closeReason != nil })
        guard case .failed = setup.recorder.closeReason else {
            Issue.record("ended with \(String(describing: setup.recorder.closeReason))")
            return
        }
    }

    @Test(arguments: DriverKind.allCases)
    func `files past the bound are refused`(driver: DriverKind) throws {
        let file = try makeFile(Self.content(8_000_000))
        let setup = try Setup(driver)
        setup.client.stall()
        setup.connection.send(file, offset: 0, count: 8_000_000)
        var taken = 1
        while setup.connection.send(file, offset: 0, count: 1) != .refused, taken < 1_000 {
            taken += 1
        }
        #expect(taken == Connection.filesQueuedMax)
        setup.client.resume()
        #expect(setup.world.run { setup.client.received.count == 8_000_000 + taken - 1 })
    }

    @Test(arguments: DriverKind.allCases, [false, true])
    func `a write longer than the queue's bound does not wait behind a file`(
        driver: DriverKind, isReferenced: Bool
    ) throws {
        final class Body {
            let bytes = [UInt8](repeating: 1, count: 2 << 20)
        }
        let file = try makeFile(Self.content(8_000_000))
        let setup = try Setup(driver)
        setup.client.stall()
        setup.connection.send(file, offset: 0, count: 8_000_000)
        try #require(setup.connection.queuedBytes == 0, "the file alone waits")
        let body = Body()
        let outcome = body.bytes.withUnsafeBytes { bytes in
            isReferenced
                ? setup.connection.write(bytes, keptAliveBy: body)
                : setup.connection.write(bytes: body.bytes)
        }
        #expect(outcome == .closed)
        #expect(setup.connection.queuedBytes == 0)
        #expect(setup.world.run { setup.recorder.closeReason == .sendQueueOverflow })
    }

    @Test func `a file that does not exist is an error`() {
        #expect(throws: SystemError.self) { try OpenFile(path: "/nowhere/at/all") }
    }
}
