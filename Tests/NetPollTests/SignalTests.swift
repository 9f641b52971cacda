import Glibc
import NetPoll
import Synchronization
import Testing

/// One after another: signals belong to the process. Sent to it, because the threads of tasks block
/// most.
@Suite("Signals", .serialized, .timeLimit(.minutes(10)))
struct SignalTests {
    @Test func `a signal is told on the loop until the watch is cancelled`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let group = try EventLoopGroup(configuration: configuration)
        let loop = group.loops[0]
        let told: (signal: ProcessSignal, isOnLoop: Bool) =
            try await withCheckedThrowingContinuation { continuation in
                let watch = Mutex<SignalWatch?>(nil)
                do {
                    let started = try loop.watch(.hangUp) { signal in
                        watch.withLock { $0.take() }?.cancel()
                        continuation.resume(returning: (signal, loop.isCurrent))
                    }
                    watch.withLock { $0 = started }
                    kill(getpid(), SIGHUP)
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        #expect(told.signal == .hangUp && told.isOnLoop)
        await group.shutdown()
    }

    @Test func `signals are a sequence, each by its own name`() async throws {
        let first = try ProcessSignal.events(.hangUp, .terminate)
        let second = try ProcessSignal.events(.terminate)
        kill(getpid(), SIGTERM)
        for await signal in first {
            #expect(signal == .terminate)
            break
        }
        for await signal in second {
            #expect(signal == .terminate)
            break
        }
        var later = first.makeAsyncIterator()
        kill(getpid(), SIGHUP)
        #expect(await later.next() == .hangUp)
    }

    @Test func `a server ends when it is told so, and cuts nobody off`() async throws {
        let group = try EventLoopGroup()
        let listeners = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            _, _ in Recorder()
        }
        let client = try await Connection.connect(to: listeners.address)
        let isOver = Flag()
        // Watches all the time, so that no signal ends the process; the next is sent when one is told.
        let told = try ProcessSignal.events(.terminate)
        let telling = Task {
            kill(getpid(), SIGTERM)
            for await _ in told {
                if isOver.isSet { break }
                kill(getpid(), SIGTERM)
            }
        }
        let ended = Task {
            for await _ in try ProcessSignal.events(.terminate, .interrupt) { break }
            await listeners.close()
            let aborted = await group.shutdown(gracefullyWithin: .seconds(10))
            return aborted
        }
        #expect(try await client.inbound.first { _ in true } == nil)
        await client.close()
        #expect(try await ended.value == 0)
        isOver.set()
        await telling.value
    }

    /// Watches of one signal, each of which ends all of them.
    private final class Watches: Sendable {
        private let all = Mutex<[SignalWatch]>([])
        private let count = Atomic(0)

        var told: Int { count.load(ordering: .relaxed) }

        func add(_ signal: ProcessSignal, on loop: EventLoop) throws {
            let watch = try loop.watch(signal) { _ in
                self.count.add(1, ordering: .relaxed)
                for watch in self.all.withLock({ $0 }) { watch.cancel() }
            }
            all.withLock { $0.append(watch) }
        }

        func letGo() { all.withLock { $0 = [] } }
    }

    @Test(arguments: [1, 3])
    func `no signal is told of a watch that was cancelled, whatever was on its way`(
        count: Int
    ) async throws {
        let group = try EventLoopGroup()
        let loop = group.loops[0]
        let (gate, watches) = (Semaphore(), Watches())
        loop.execute { gate.wait() }
        for _ in 0..<count { try watches.add(.hangUp, on: loop) }
        var events = try ProcessSignal.events(.hangUp).makeAsyncIterator()
        // All have been told of one signal when the next is.
        for _ in 0..<3 {
            kill(getpid(), SIGHUP)
            #expect(await events.next() == .hangUp)
        }
        gate.signal()
        await loop.run {}
        #expect(watches.told == 1)
        watches.letGo()
        await group.shutdown()
    }

    @Test(
        arguments: zip(
            [ProcessSignal.hangUp, .interrupt, .terminate], [SIGHUP, SIGINT, SIGTERM]))
    func `each name is told of its signal, as an event and on a loop`(
        signal: ProcessSignal, number: Int32
    ) async throws {
        let group = try EventLoopGroup()
        let events = try ProcessSignal.events(signal)
        let (told, continuation) = AsyncStream.makeStream(of: ProcessSignal.self)
        let watch = try group.loops[0].watch(signal) { continuation.yield($0) }
        kill(getpid(), number)
        var (event, onLoop) = (events.makeAsyncIterator(), told.makeAsyncIterator())
        #expect(await event.next() == signal)
        #expect(await onLoop.next() == signal)
        #expect(signal.rawValue == number)
        watch.cancel()
        await group.shutdown()
    }

    @Test func `what nobody watches any more does what it did before`() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            let group = try EventLoopGroup()
            let (first, second) = (
                try group.loops[0].watch(.terminate) { _ in },
                try group.loops[0].watch(.terminate) { _ in }
            )
            first.cancel()
            second.cancel()
            kill(getpid(), SIGTERM)
            while true { pause() }
        }
    }

    @Test func `a watch whose body is the last to hold another ends both`() async throws {
        let group = try EventLoopGroup()
        let loop = group.loops[0]
        let inner = try loop.watch(.hangUp) { _ in }
        weak let watched = inner
        func hold(_ inner: SignalWatch) throws -> SignalWatch {
            try loop.watch(.hangUp) { _ in withExtendedLifetime(inner) {} }
        }
        let outer = try hold(inner)
        #expect(watched != nil)
        outer.cancel()
        await group.shutdown()
    }

    @Test(arguments: [0, 64, -1, SIGKILL, SIGSTOP] as [Int32])
    func `what cannot be caught is a typed error`(number: Int32) {
        let error = #expect(throws: SystemError.self) {
            _ = try ProcessSignal.events(ProcessSignal(rawValue: number))
        }
        #expect(error?.code == EINVAL)
    }
}
