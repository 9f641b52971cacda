import NetPoll
import NetPollTesting
import Testing

@testable import RPC

@Suite("Calls that are over, kept to be used again")
struct ShelfTests {
    private let name = EncodedName(service: "a.B", method: "C")

    @Test func `as many calls of other threads are kept as the bound says`() {
        let shelf = PendingCallShelf()
        let calls = (0...PendingCallShelf.idleMax).map { _ in PendingCall(name) }
        for call in calls { shelf.giveBack(call) }
        let taken = calls.map { _ in shelf.take(name) }
        let known = Set(calls.map { ObjectIdentifier($0) })
        let kept = taken.count { known.contains(ObjectIdentifier($0)) }
        #expect(kept == PendingCallShelf.idleMax)
    }

    @Test func `as many calls of the loop's are kept as the bound says`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        // One more than are in flight at once waits.
        let running = (0...PendingCallShelf.idleMax).map { _ in
            world.start { try await connection.call(Echo.inline, [1]) }
        }
        world.network.runUntilIdle()
        #expect(running.allSatisfy { $0.value == [1] })
        #expect(connection.peer.idleCalls.count == PendingCallShelf.idleMax)
    }

    /// One that was used for a message which took more memory than most do.
    private func grown() -> PendingCall {
        let call = PendingCall(name)
        call.request.append([UInt8](repeating: 7, count: 10_000))
        call.reply.append([UInt8](repeating: 7, count: 10_000))
        call.reset()
        return call
    }

    @Test func `after a peak only a few of other threads' calls keep their memory`() {
        let shelf = PendingCallShelf()
        for _ in 0..<500 { shelf.giveBack(grown()) }
        let taken = (0..<500).map { _ in shelf.take(name) }
        let kept = taken.count { $0.request.capacity >= 10_000 && $0.reply.capacity >= 10_000 }
        let given = taken.count { $0.request.capacity <= 512 && $0.reply.capacity <= 512 }
        #expect(kept == PayloadWriter.grownMax)
        #expect(given == 500 - PayloadWriter.grownMax)
    }

    @Test func `after a peak only a few of the loop's calls keep their memory`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let running = (0..<500).map { _ in
            world.start { try await connection.call(Echo.echo, Sample.text(10_000)) }
        }
        world.network.run(for: .seconds(1))
        #expect(running.allSatisfy { $0.isSuccess })
        let large = connection.peer.idleCalls.count { $0.request.capacity > 512 }
        #expect(large == PayloadWriter.grownMax)
    }

    @Test func `after a peak only a few served calls of each kind keep their memory`() throws {
        let mailbox = LoopMailbox(try RPCWorld().loop)
        let shelf = ServedCallShelf(mailbox)
        for execution in [MethodEntry.Execution.loop, .pool] {
            for _ in 0..<200 {
                let call = ServedCall(execution, mailbox)
                call.reply.append([UInt8](repeating: 7, count: 10_000))
                shelf.giveBack(call)
            }
            let kept = (0..<200).count { _ in shelf.take(execution).reply.capacity > 512 }
            #expect(kept == PayloadWriter.grownMax)
        }
    }

    @Test func `as many served calls of each kind are kept as the bound says`() throws {
        let world = try RPCWorld()
        let mailbox = LoopMailbox(world.loop)
        let shelf = ServedCallShelf(mailbox)
        for (kinds, execution) in [MethodEntry.Execution.loop, .pool].enumerated() {
            for idle in 1...ServedCallShelf.idleMax {
                shelf.giveBack(ServedCall(execution, mailbox))
                #expect(shelf.idleCount == kinds * ServedCallShelf.idleMax + idle)
            }
            shelf.giveBack(ServedCall(execution, mailbox))
            #expect(shelf.idleCount == (kinds + 1) * ServedCallShelf.idleMax)
        }
    }
}
