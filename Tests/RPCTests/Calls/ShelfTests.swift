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
