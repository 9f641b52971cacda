import Glibc
import NetPoll
import Testing

@Suite("A successor whose descriptors are exhausted", .timeLimit(.minutes(10)))
struct HeirTests {
    private let path = "/tmp/netpoll-heir-\(UInt64.random(in: 0...(.max)))"

    /// Passes a descriptor some times, and then nothing but the byte that comes with each: so it is
    /// with a receiver that may open no more files (unix(7)).
    private final class Predecessor: ConnectionHandler {
        private let descriptor: Int32
        private let passed: Int
        private let lost: Int

        init(_ descriptor: Int32, passed: Int, lost: Int) {
            (self.descriptor, self.passed, self.lost) = (descriptor, passed, lost)
        }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            do {
                for _ in 0..<passed { try connection.send(descriptor: descriptor, mark: 2) }
            } catch {
                Issue.record(error)
            }
            connection.write(bytes: [UInt8](repeating: 2, count: lost) + [3])
            connection.close()
        }
    }

    @Test(arguments: [(2, 0), (2, 1), (0, 2)])
    func `of sockets that did not all come it takes none`(passed: Int, lost: Int) async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let group = try EventLoopGroup(configuration: configuration)
        var pipe: [Int32] = [-1, -1]
        #expect(Glibc.pipe(&pipe) == 0)
        let written = pipe[1]
        let listeners = try await group.listen(on: .unix(path: path)) { _, _ in
            Predecessor(written, passed: passed, lost: lost)
        }
        if lost == 0 {
            let sockets = try await ListenerHandover.inherit(from: path, on: group)
            #expect(sockets.count == passed)
            for socket in sockets { close(socket) }
        } else {
            let error = await #expect(throws: SystemError.self) {
                let sockets = try await ListenerHandover.inherit(from: path, on: group)
                for socket in sockets { close(socket) }
            }
            #expect(error?.code == EMFILE)
        }
        await listeners.close()
        await group.shutdown()
        close(written)
        var byte: UInt8 = 0
        #expect(read(pipe[0], &byte, 1) == 0, "what came is closed")
        close(pipe[0])
    }
}
