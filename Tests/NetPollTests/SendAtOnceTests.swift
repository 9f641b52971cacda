import NetPoll
import NetPollTesting
import Testing

@Suite("Writes that do not wait for the turn's end", .timeLimit(.minutes(1)))
struct SendAtOnceTests {
    private final class Payload {
        let bytes: UnsafeMutableRawBufferPointer

        init(_ count: Int) {
            bytes = .allocate(byteCount: count, alignment: 16)
            for index in 0..<count { bytes[index] = Self.byte(index) }
        }

        deinit { bytes.deallocate() }

        static func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index &* 7) }
    }

    private let network = SimulatedNetwork(seed: 1)
    private let recorders = Recorders()

    private func connect() throws -> (Connection, SimulatedPeer) {
        let loop = network.makeLoop()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            [recorders] in recorders.make($0, $1)
        }.address
        let peer = try #require(network.connect(to: address))
        #expect(network.run(within: .seconds(1)) { !recorders.all.isEmpty })
        return (try #require(recorders.all[0].connection), peer)
    }

    private func send(_ count: Int, on connection: Connection) -> Bool {
        let payload = Payload(count)
        return connection.sendAtOnce(.init(payload.bytes), keptAliveBy: payload)
    }

    /// The network takes 64 KiB: all, all but what is copied, or all but what is shared.
    @Test(arguments: [1_000, 65_600, 500_000])
    func `what the network does not take waits, and what comes next goes behind it`(
        count: Int
    ) throws {
        let (connection, peer) = try connect()
        peer.stall()
        #expect(send(count, on: connection))
        network.runUntilIdle()
        let waits = count > 64 << 10
        #expect((connection.queuedBytes > 0) == waits)
        #expect(send(10, on: connection) == !waits)
        let more = [UInt8](repeating: 1, count: 10)
        if waits { connection.write(more.span.bytes) }
        peer.resume()
        network.runUntilIdle()
        let received = peer.takeReceived()
        #expect(received.count == count + 10)
        #expect(received.prefix(count).elementsEqual((0..<count).map(Payload.byte)))
    }

    @Test func `nothing goes before what the turn has gathered`() throws {
        let (connection, peer) = try connect()
        let gathered: [UInt8] = [1, 2]
        connection.write(gathered.span.bytes)
        #expect(!send(10, on: connection))
        network.runUntilIdle()
        #expect(peer.takeReceived() == gathered)
    }

    @Test func `nothing is taken beyond the send queue's bound, or by a connection that closes`()
        throws
    {
        let (connection, peer) = try connect()
        #expect(!send(connection.limits.sendQueueBytesMax + 1, on: connection))
        connection.close()
        #expect(!send(10, on: connection))
        network.runUntilIdle()
        #expect(peer.takeReceived() == [])
    }
}
