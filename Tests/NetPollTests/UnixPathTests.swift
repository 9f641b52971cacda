import Glibc
import Synchronization
import Testing

@testable import NetPoll

/// Who has a Unix socket's path where several want it.
@Suite("Unix sockets that want one path", .timeLimit(.minutes(10)))
struct UnixPathTests {
    private let path = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"

    private func bind(_ world: any World) throws -> Listener {
        try world.loop.listen(on: .unix(path: path)) { _, _ in Recorder() }
    }

    @Test(arguments: DriverKind.kernels)
    func `closing a listener leaves the file of another that has its path`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let first = try bind(world)
        removeFile(path)
        let second = try bind(world)
        first.close()
        #expect(fileExists(path))
        second.close()
        #expect(!fileExists(path))
    }

    /// The outcome of threads that all listen at once.
    private final class Start: Sendable {
        let ready = Atomic(0)
        let opened = Mutex<[Int32]>([])
        let ended = Semaphore()

        func listen(at path: String, with count: Int) {
            ready.add(1, ordering: .sequentiallyConsistent)
            while ready.load(ordering: .sequentiallyConsistent) < count {}
            let options = ListenOptions(backlog: 8, sharesPort: false, joinsShared: false)
            if let (socket, _) = try? Socket.listen(on: .unix(path: path), options) {
                opened.withLock { $0.append(socket.rawValue) }
            }
            ended.signal()
        }
    }

    @Test(arguments: [false, true])
    func `of several that begin at once one has the path, and is reached`(isLeft: Bool) throws {
        for _ in 0..<400 {
            let (start, count) = (Start(), 2)
            if isLeft {
                let options = ListenOptions(backlog: 8, sharesPort: false, joinsShared: false)
                close(try Socket.listen(on: .unix(path: path), options).0.rawValue)
            }
            for _ in 0..<count {
                try LoopThread.start { [path] in start.listen(at: path, with: count) }
            }
            for _ in 0..<count { start.ended.wait() }
            let opened = start.opened.withLock { $0 }
            try #require(opened.count == 1)
            let client = try Socket.connect(
                to: .unix(path: path), ConnectOptions(localAddress: nil, socket: .init()))
            let accepted = accept(opened[0], nil, nil)
            #expect(accepted >= 0)
            for descriptor in [client.rawValue, accepted, opened[0]] { close(descriptor) }
            removeFile(path)
        }
    }

    /// Who may read a directory may lock it.
    @Test func `a directory that somebody has locked is no hindrance`() throws {
        let directory = path + ".d"
        #expect(mkdir(directory, 0o700) == 0)
        defer { rmdir(directory) }
        let descriptor = open(directory, O_RDONLY)
        defer { close(descriptor) }
        #expect(flock(descriptor, LOCK_EX) == 0)
        let world = try DriverKind.system.makeWorld()
        let listener = try world.loop.listen(on: .unix(path: directory + "/s")) { _, _ in
            Recorder()
        }
        #expect(fileExists(directory + "/s"))
        listener.close()
    }
}
