import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("A server's admission, simulated", .timeLimit(.minutes(10)))
struct AdmissionTests {
    @Test func `calls beyond the rate are refused before they run`() throws {
        var admission = RPCAdmission()
        admission.rateLimit = RateLimit(callsPerSecond: 10, burst: 5)
        let world = try ClientWorld(admission: admission)
        let calls = (0..<20).map { _ in world.call(Work.name) }
        world.network.runUntilIdle()
        #expect(calls.count { $0.isSuccess } == 5)
        #expect(calls.compactMap(\.error).allSatisfy { $0.code == .resourceExhausted })
        #expect(world.workers[0].started == 5)
        #expect(world.workers[0].server?.admission.refusedByRate == 15)
        world.network.run(for: .seconds(1))
        let later = (0..<20).map { _ in world.call(Work.name) }
        world.network.runUntilIdle()
        #expect(later.count { $0.isSuccess } == 5)
    }

    @Test func `calls beyond the concurrency limit are refused before they run`() throws {
        var admission = RPCAdmission()
        admission.concurrency = AdaptiveConcurrency()
        admission.concurrency?.initial = 8
        let world = try ClientWorld(admission: admission)
        let calls = (0..<20).map { _ in world.call(Work.wait) }
        world.network.runUntilIdle()
        #expect(calls.count { $0.error?.code == .resourceExhausted } == 12)
        #expect(world.workers[0].started == 8)
        #expect(world.workers[0].server?.admission.inFlight == 8)
        #expect(world.workers[0].server?.admission.refusedByConcurrency == 12)
        for call in calls { call.task?.cancel() }
        world.network.runUntilIdle()
        #expect(world.workers[0].server?.admission.inFlight == 0)
    }

    @Test func `streams and lost connections leave the limit as they found it`() throws {
        var admission = RPCAdmission()
        admission.concurrency = AdaptiveConcurrency()
        let world = try ClientWorld(admission: admission)
        let client = world.client
        _ = try world.run { try await client.call(Work.count, [1]) { for try await _ in $0 {} } }
        let calls = (0..<5).map { _ in world.call(Work.wait) }
        #expect(world.workers[0].server?.admission.inFlight == 5)
        world.kill(0)
        #expect(calls.allSatisfy { $0.isOver })
        #expect(world.workers[0].server?.admission.inFlight == 0)
    }

    @Test func `an overloaded server's limit follows its latency`() throws {
        var admission = RPCAdmission()
        admission.concurrency = AdaptiveConcurrency()
        let world = try ClientWorld(admission: admission)
        world.workers[0].counts.withLock { $0.delay = .milliseconds(10) }
        func load(_ rounds: Int, of calls: Int) {
            for _ in 0..<rounds {
                for _ in 0..<calls { _ = world.call(Work.sleep) }
                world.network.run(for: .milliseconds(20))
            }
        }
        load(100, of: 20)
        let calm = try #require(world.workers[0].server?.admission.concurrencyLimit)
        world.workers[0].counts.withLock { $0.delay = .milliseconds(80) }
        load(40, of: 20)
        let strained = try #require(world.workers[0].server?.admission.concurrencyLimit)
        #expect(strained < calm, "\(calm), then \(strained)")
    }

    /// A client that sends its frames as the test says.
    private func negotiated(_ world: ClientWorld) throws -> SimulatedPeer {
        let peer = try #require(world.network.connect(to: world.addresses[0]))
        let first = Sample.request(1, service: "test.Work", method: "Name", announces: true)
        peer.send(first.bytes)
        world.network.runUntilIdle()
        peer.send(try Sample.control(.settings(PeerSettings())).bytes)
        world.network.runUntilIdle()
        return peer
    }

    @Test func `a call whose caller gave up before its turn is not run, and counted`() throws {
        let world = try ClientWorld()
        let peer = try negotiated(world)
        let request = Sample.request(3, service: "test.Work", method: "Name")
        let cancel = try Sample.control(.cancel(stream: 3, code: .cancelled))
        peer.send(request.bytes + cancel.bytes)
        world.network.runUntilIdle()
        #expect(world.workers[0].started == 1)
        #expect(world.workers[0].server?.admission.shed == 1)
    }

    @Test func `a call that arrives too late is not run, and counted`() throws {
        let world = try ClientWorld()
        let peer = try negotiated(world)
        let late = Sample.request(3, service: "test.Work", method: "Name", timeout: -1)
        let inTime = Sample.request(5, service: "test.Work", method: "Name", timeout: 1_000)
        peer.send(late.bytes + inTime.bytes)
        world.network.runUntilIdle()
        #expect(world.workers[0].started == 2)
        #expect(world.workers[0].server?.admission.shed == 1)
    }

    /// Lets time pass within a handler.
    ///
    /// `@unchecked Sendable`: everything runs in the test's own thread.
    private final class Slowness: @unchecked Sendable {
        var network: SimulatedNetwork?

        func pass(_ duration: Duration) { network?.jumpClock(by: duration) }
    }

    @Test(arguments: [Echo.inline, Echo.echo])
    func `a call whose deadline passed while others were served is not run, and counted`(
        method: UnaryMethod<[UInt8], [UInt8]>
    ) throws {
        let (slowness, witness) = (Slowness(), Witness())
        var handlers = RPCHandlers()
        handlers.handleBytesInline(Echo.wait) { _, _, _ in slowness.pass(.milliseconds(20)) }
        handlers.handleBytesInline(Echo.inline) { _, _, _ in witness.note { $0.started += 1 } }
        handlers.handle(Echo.echo, on: .loop) { request, _ in
            witness.note { $0.started += 1 }
            return request
        }
        let world = try RPCWorld(handlers: handlers)
        slowness.network = world.network
        defer { slowness.network = nil }
        let peer = try #require(world.network.connect(to: world.address))
        func request(_ id: UInt32, _ name: String, _ milliseconds: Int64) -> [UInt8] {
            Sample.request(
                id, service: Echo.serviceName, method: name, timeout: milliseconds * 1_000_000
            ).bytes
        }
        peer.send(
            request(1, Echo.wait.name, 10) + request(3, method.name, 20)
                + request(5, method.name, 21))
        world.network.runUntilIdle()
        var decoder = FrameDecoder()
        let answers = try decoder.frames(in: peer.takeReceived()).map { frame in
            let envelope = try frame.data.withUnsafeBytes { try ResponseEnvelope($0) }
            return [Int(frame.header.stream), Int(envelope.code)]
        }
        #expect(answers == [[1, 0], [3, 4], [5, 0]])
        #expect(witness.started == 1)
        #expect(world.server.admission.shed == 1)
    }
}
