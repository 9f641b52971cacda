import EchoWorlds
import Glibc
import NetPoll
import Testing

@Suite("Poller", .timeLimit(.minutes(10)))
struct PollerTests {
    /// Two connected descriptors, closed with the test.
    private final class Pair {
        let (near, far): (Int32, Int32)
        private var (isNearOpen, isFarOpen) = (true, true)

        /// A pipe's reading and writing end.
        static func pipe() -> Pair {
            var ends: [Int32] = [0, 0]
            Glibc.pipe(&ends)
            return Pair(ends[0], ends[1])
        }

        static func sockets() -> Pair {
            var ends: [Int32] = [0, 0]
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
            return Pair(ends[0], ends[1])
        }

        private init(_ near: Int32, _ far: Int32) { (self.near, self.far) = (near, far) }

        deinit {
            if isNearOpen { close(near) }
            if isFarOpen { close(far) }
        }

        func closeFar() {
            isFarOpen = false
            close(far)
        }

        func closeNear() {
            isNearOpen = false
            close(near)
        }

        /// Sends from the near end until there is no room; returns how many bytes that took.
        func fillFromNear() -> Int {
            let piece = [UInt8](repeating: 1, count: 4_096)
            var sent = 0
            while true {
                let count = send(near, piece, piece.count, Int32(MSG_DONTWAIT))
                guard count > 0 else { return sent }
                sent += count
            }
        }

        func readFar(_ count: Int) {
            var (left, bytes) = (count, [UInt8](repeating: 0, count: 64 << 10))
            while left > 0 { left -= max(1, recv(far, &bytes, min(left, bytes.count), 0)) }
        }

        func sendFromFar() { _ = write(far, "x", 1) }

        func readNear() {
            var byte: UInt8 = 0
            _ = read(near, &byte, 1)
        }
    }

    /// What stands below a poller.
    enum Queue: CaseIterable {
        case epoll
        /// kqueue on a simulated kernel queue.
        case kqueue

        func makePoller() throws -> Poller {
            switch self {
            case .epoll: try Poller()
            case .kqueue: Poller(queue: KernelReadinessQueue(queue: SimulatedKernelQueue()))
            }
        }
    }

    private func events(_ poller: Poller) throws -> [Poller.Event] {
        var events: [Poller.Event] = []
        try poller.wait(for: .zero) { events.append($0) }
        return events
    }

    @Test(arguments: Queue.allCases)
    func `a descriptor is told as long as there is something to read`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        let registration = try poller.register(pipe.near, .read)
        #expect(try events(poller).isEmpty)
        pipe.sendFromFar()
        for _ in 0..<2 {
            let found = try events(poller)
            #expect(found.map(\.registration) == [registration])
            #expect(found.map(\.readiness) == [.read])
        }
        pipe.readNear()
        #expect(try events(poller).isEmpty)
    }

    @Test func `a wait may be as long as a Duration can be`() throws {
        let poller = try Poller()
        let pipe = Pair.pipe()
        try poller.register(pipe.near, .read)
        pipe.sendFromFar()
        for limit in [Duration.nanoseconds(Int64.max), .seconds(Int64.max)] {
            #expect(try poller.wait(for: limit) == 1)
        }
    }

    @Test(arguments: Queue.allCases)
    func `an edge is told once for each change`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        try poller.register(pipe.near, [.read, .edge])
        pipe.sendFromFar()
        #expect(try events(poller).count == 1)
        #expect(try events(poller).isEmpty)
        pipe.sendFromFar()
        #expect(try events(poller).count == 1)
    }

    @Test(arguments: Queue.allCases)
    func `a one-shot is told once until it is asked for again`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        let registration = try poller.register(pipe.near, [.read, .oneShot])
        pipe.sendFromFar()
        #expect(try events(poller).count == 1)
        pipe.sendFromFar()
        #expect(try events(poller).isEmpty)
        try poller.modify(registration, [.read, .oneShot])
        #expect(try events(poller).count == 1)
    }

    @Test(arguments: Queue.allCases)
    func `an edge or a one-shot of room is told once, until it is asked for again`(
        queue: Queue
    ) throws {
        let poller = try queue.makePoller()
        let (edge, shot) = (Pair.sockets(), Pair.sockets())
        let interests: [(Pair, Poller.Interest)] = [
            (edge, [.write, .edge]), (shot, [.write, .oneShot]),
        ]
        let registrations = try interests.map { try poller.register($0.0.near, $0.1) }
        for _ in 0..<2 {
            let found = try events(poller)
            #expect(Set(found.map(\.registration)) == Set(registrations))
            #expect(found.allSatisfy { $0.readiness == .write })
            #expect(try events(poller).isEmpty)
            for (registration, (_, interest)) in zip(registrations, interests) {
                try poller.modify(registration, interest)
            }
        }
        try poller.modify(registrations[1], [.read, .write, .oneShot])
        shot.sendFromFar()
        let found = try events(poller)
        #expect(found.first { $0.registration == registrations[1] }?.readiness == [.read, .write])
        shot.sendFromFar()
        #expect(try events(poller).isEmpty, "a shot is spent for both")
    }

    @Test func `an edge of room is told anew when there was none`() throws {
        let poller = try Poller()
        let sockets = Pair.sockets()
        try poller.register(sockets.near, [.write, .edge])
        #expect(try events(poller).count == 1)
        let sent = sockets.fillFromNear()
        #expect(sent > 0)
        #expect(try events(poller).isEmpty)
        sockets.readFar(sent)
        #expect(try events(poller).map(\.readiness) == [.write])
        #expect(try events(poller).isEmpty)
    }

    @Test(arguments: Queue.allCases)
    func `a pending error is told, whatever the interest`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        let registration = try poller.register(pipe.far, .write)
        #expect(try events(poller).map(\.readiness) == [.write])
        pipe.closeNear()
        #expect(try events(poller).first?.readiness.isSuperset(of: [.write, .error]) == true)
        try poller.modify(registration, [])
        let readiness = try events(poller).first?.readiness
        #expect(readiness?.contains(.error) == true && readiness?.contains(.write) == false)
    }

    @Test(arguments: Queue.allCases)
    func `an eventfd is watched as any descriptor`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let descriptor = eventfd(0, 0)
        defer { close(descriptor) }
        let registration = try poller.register(descriptor, .read)
        #expect(try events(poller).isEmpty)
        var count: UInt64 = 3
        #expect(write(descriptor, &count, 8) == 8)
        for _ in 0..<2 { #expect(try events(poller).map(\.readiness) == [.read]) }
        #expect(read(descriptor, &count, 8) == 8 && count == 3)
        #expect(try events(poller).isEmpty)
        try poller.modify(registration, .write)
        #expect(try events(poller).map(\.readiness) == [.write])
        #expect(poller.deregister(registration))
        #expect(try events(poller).isEmpty)
    }

    @Test(arguments: Queue.allCases)
    func `a wait without events lasts as long as it was told to`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        try poller.register(pipe.near, .read)
        // A signal that the process is sent may end one of them early.
        var longest = Duration.zero
        for _ in 0..<5 {
            let start = ContinuousClock.now
            #expect(try poller.wait(for: .milliseconds(20)) == 0)
            longest = max(longest, ContinuousClock.now - start)
        }
        #expect(longest >= .milliseconds(20))
        pipe.sendFromFar()
        #expect(try poller.wait(for: .seconds(60)) == 1, "what is there ends a wait at once")
    }

    @Test(arguments: Queue.allCases)
    func `a paused watch is told what came meanwhile once it is resumed`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        var calls = 0
        let watch = try poller.start(pipe.near, .read) { _, readiness in
            #expect(readiness == .read)
            calls += 1
            pipe.readNear()
        }
        try watch.pause()
        pipe.sendFromFar()
        for _ in 0..<2 { try poller.wait(for: .zero) }
        #expect(calls == 0)
        try watch.resume()
        for _ in 0..<2 { try poller.wait(for: .zero) }
        #expect(calls == 1)
        pipe.sendFromFar()
        try poller.wait(for: .zero)
        #expect(calls == 2)
    }

    @Test(arguments: Queue.allCases)
    func `what is waited for can be changed`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let sockets = Pair.sockets()
        let registration = try poller.register(sockets.near, .read)
        #expect(try events(poller).isEmpty)
        try poller.modify(registration, [.read, .write])
        #expect(try events(poller).map(\.readiness) == [.write])
        sockets.sendFromFar()
        #expect(try events(poller).map(\.readiness) == [[.read, .write]])
        try poller.modify(registration, [])
        #expect(try events(poller).isEmpty)
    }

    @Test(arguments: Queue.allCases)
    func `ends are told apart from bytes`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let sockets = Pair.sockets()
        let registration = try poller.register(sockets.near, .read)
        shutdown(sockets.far, Int32(SHUT_WR))
        #expect(try events(poller).first?.readiness == [.read, .readEnded])
        sockets.closeFar()
        #expect(try events(poller).first?.readiness.contains(.hangUp) == true)
        try poller.modify(registration, [])
        #expect(try events(poller).first?.readiness == .hangUp, "told whatever the interest")
        let pipe = Pair.pipe()
        try poller.modify(registration, [])
        poller.deregister(registration)
        try poller.register(pipe.near, .read)
        pipe.closeFar()
        #expect(try events(poller).first?.readiness == .hangUp)
    }

    @Test(arguments: Queue.allCases)
    func `a stale event never reaches who registered the number anew`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let (first, second, third) = (Pair.pipe(), Pair.pipe(), Pair.pipe())
        var calls: [String] = []
        var watches: [Poller.Watch] = []
        // Each watch's closure holds them all.
        defer { watches = [] }
        // Whichever is told first ends the other, whose number then names the third pipe.
        func watch(_ name: String, _ own: Pair, ends other: Pair) throws {
            watches.append(
                try poller.start(own.near, .read) { watch, _ in
                    calls.append(name)
                    let ended = watches.first { $0 !== watch }
                    #expect(ended?.stop() == true)
                    dup2(third.near, other.near)
                    let anew = try? poller.start(other.near, .read) { _, _ in
                        calls.append("anew")
                    }
                    #expect(anew != nil)
                })
        }
        try watch("first", first, ends: second)
        try watch("second", second, ends: first)
        first.sendFromFar()
        second.sendFromFar()
        try poller.wait(for: .zero)
        #expect(calls.count == 1 && calls != ["anew"])
        #expect(poller.staleEvents == 1)
        #expect(poller.count == 2)
        let told = calls == ["first"] ? first.near : second.near
        watches.first { $0.descriptor == told }?.stop()
        third.sendFromFar()
        try poller.wait(for: .zero)
        #expect(calls.last == "anew")
    }

    @Test(arguments: Queue.allCases)
    func `a watch can be paused, resumed and stopped`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        var calls = 0
        final class Held {}
        var held: Held? = Held()
        weak let watched = held
        let watch = try poller.start(pipe.near, [.read, .oneShot]) { [held] _, readiness in
            _ = held
            #expect(readiness == .read)
            calls += 1
        }
        held = nil
        pipe.sendFromFar()
        for _ in 0..<2 { try poller.wait(for: .zero) }
        #expect(calls == 1)
        try watch.resume()
        try poller.wait(for: .zero)
        #expect(calls == 2)
        try watch.resume()
        try watch.pause()
        try poller.wait(for: .zero)
        #expect(calls == 2)
        #expect(watch.stop())
        #expect(!watch.stop())
        #expect(throws: SystemError.self) { try watch.resume() }
        #expect(poller.count == 0)
        #expect(watched != nil, "the watch itself still holds it")
    }

    @Test(arguments: Queue.allCases)
    func `a wake ends a wait without end and is told to nobody`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let waking = poller.waker
        waking.wake()
        #expect(try poller.wait(for: nil) == 0)
        #expect(try poller.wait(for: .zero) == 0)
    }

    @Test(arguments: Queue.allCases)
    func `what cannot be watched is a typed error`(queue: Queue) throws {
        let poller = try queue.makePoller()
        let pipe = Pair.pipe()
        let registration = try poller.register(pipe.near, .read)
        let twice = #expect(throws: SystemError.self) { try poller.register(pipe.near, .read) }
        #expect(twice?.code == EEXIST)
        let closed = #expect(throws: SystemError.self) { try poller.register(-1, .read) }
        #expect(closed?.code == EBADF)
        #expect(poller.deregister(registration))
        #expect(!poller.deregister(registration))
        let ended = #expect(throws: SystemError.self) { try poller.modify(registration, .read) }
        #expect(ended?.code == EBADF)
        #expect(poller.count == 0)
    }
}

// eventfd(2), which the Glibc overlay does not import.
@_silgen_name("eventfd")
private func eventfd(_ initial: UInt32, _ flags: Int32) -> Int32
