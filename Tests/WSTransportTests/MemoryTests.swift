import AllocationCounter
import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Memory of an idle WebSocket")
struct MemoryTests {
    /// What malloc set aside for an object.
    private func bytes(of object: AnyObject) -> Int {
        allocation_counter_bytes(Unmanaged.passUnretained(object).toOpaque())
    }

    // 16 bytes of its slot in the loop's table and the two headers of malloc's come on top.
    @Test(.enabled(if: allocation_counter_is_active()))
    func `the two objects of a connection take at most 160 bytes`() async throws {
        let bench = try await Bench()
        // Malloc may give one object the rest of a larger place; the smallest of some is right.
        for _ in 0..<32 {
            let peer = try bench.upgraded()
            peer.send(Bench.frame("hello"))
        }
        bench.network.runUntilIdle()
        let webSockets = bench.connections
        let connections = webSockets.compactMap { $0.loop.connection($0.id) }
        #expect(connections.count == 32)
        #expect(try #require(webSockets.map(bytes(of:)).min()) <= 88)
        #expect(try #require(connections.map(bytes(of:)).min()) <= 72)
        #expect(webSockets.allSatisfy { !$0.ownsMemory })
    }

    @Test func `what incomplete messages and frames took is given back`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        let webSocket = try #require(bench.connections.first)
        let frame = Bench.frame("in two pieces")
        for cut in 1..<frame.count {
            peer.send(Array(frame[..<cut]))
            bench.network.runUntilIdle()
            #expect(webSocket.ownsMemory, "cut at \(cut)")
            peer.send(Array(frame[cut...]))
            bench.network.runUntilIdle()
            #expect(!webSocket.ownsMemory, "cut at \(cut)")
        }
        #expect(bench.messages.count == frame.count - 1)
    }
}
