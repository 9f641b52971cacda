import NetPoll
import NetPollTesting
import Testing

@Suite("Watermarks within one turn", .timeLimit(.minutes(1)))
struct WatermarkTests {
    /// Two connections of one loop: what the first receives is written to the second, whose peer takes
    /// nothing.
    private final class Relay {
        let network = SimulatedNetwork()
        let recorders = Recorders()
        let source: SimulatedPeer
        let sink: SimulatedPeer
        private(set) var outcomes: [WriteOutcome] = []

        init() throws {
            let loop = network.makeLoop()
            let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
                [recorders] in recorders.make($0, $1)
            }.address
            source = try #require(network.connect(to: address))
            network.runUntilIdle()
            sink = try #require(network.connect(to: address))
            network.runUntilIdle()
            recorders.all[0].onReceive = { [unowned self] bytes, from in
                guard let to = recorders.all[1].connection else { return }
                outcomes.append(to.write(bytes.bytes))
                if outcomes.last == .aboveHighWatermark { from.pauseReading() }
            }
            recorders.all[1].onFall = { [unowned self] in
                recorders.all[0].connection?.resumeReading()
            }
            sink.stall()
        }
    }

    @Test func `a rise and a fall in one turn are both told, and a relay goes on`() throws {
        let relay = try Relay()
        let (network, recorders) = (relay.network, relay.recorders)
        // The window takes 64 KiB of it.
        recorders.all[1].connection?.write(bytes: [UInt8](repeating: 1, count: 96 << 10))
        network.runUntilIdle()
        #expect(recorders.all[1].events == ["opened"])
        // In one step: 40 KiB more come, and the sink takes all that waits.
        relay.source.send([UInt8](repeating: 2, count: 40 << 10))
        relay.sink.resume()
        network.runUntilIdle()
        #expect(relay.outcomes == [.aboveHighWatermark])
        #expect(recorders.all[1].events == ["opened", "high", "low"])
        #expect(relay.sink.received.count == 136 << 10)
        relay.source.send([3])
        network.runUntilIdle()
        #expect(relay.sink.received.last == 3, "the source is read again")
    }

    @Test func `rises and falls are told in pairs`() throws {
        let relay = try Relay()
        let (network, recorders) = (relay.network, relay.recorders)
        var waiting = 96 << 10
        recorders.all[1].connection?.write(bytes: [UInt8](repeating: 1, count: waiting))
        network.runUntilIdle()
        // What is written when it fell rises again within the turn.
        let more = [UInt8](repeating: 4, count: 200 << 10)
        recorders.all[1].onFall = { [unowned relay] in
            guard waiting < 200 << 10 else { return }
            waiting += more.count
            relay.sink.stall()
            recorders.all[1].connection?.write(bytes: more)
        }
        relay.source.send([UInt8](repeating: 2, count: 40 << 10))
        relay.sink.resume()
        network.runUntilIdle()
        #expect(recorders.all[1].events == ["opened", "high", "low", "high"])
        relay.sink.resume()
        network.runUntilIdle()
        #expect(recorders.all[1].events == ["opened", "high", "low", "high", "low"])
        #expect(relay.sink.received.count == waiting + (40 << 10))
    }
}
