import ConnPool
import NetPoll
import Testing

@testable import RPC

@Suite("Calls over Unix sockets", .timeLimit(.minutes(5)))
struct UnixSocketTests {
    @Test(arguments: [false, true])
    func `all shapes of calls go through a path and an abstract name`(
        isAbstract: Bool
    ) async throws {
        let name = "/tmp/rpc-\(UInt64.random(in: 0...(.max)))"
        let address = isAbstract ? SocketAddress.abstract(name) : .unix(path: name)
        let worker = Worker(UInt8(ascii: "u"))
        let world = try await SocketWorld(handlers: worker.handlers, on: address)
        #expect(world.address == address)
        let client = RPCClient(to: .address(address), on: world.calling.loops)
        let reply = try await client.call(Work.name, [])
        #expect(reply == [UInt8(ascii: "u")])
        let counted = try await client.call(Work.count, [1, 2, 3]) { numbers in
            var all: [UInt8] = []
            for try await number in numbers { all += number }
            return all
        }
        #expect(counted == [1, 2, 3])
        let gathered = try await client.call(Work.gather) {
            for number in 1...3 { try await $0.send([UInt8(number)]) }
        }
        #expect(gathered == [1, 2, 3])
        let mirrored = try await client.call(Work.mirror) { requests, replies in
            try await requests.send([7])
            requests.finish()
            var all: [UInt8] = []
            for try await reply in replies { all += reply }
            return all
        }
        #expect(mirrored == [7])
        try await client.send(Work.name, [])
        await world.wait { worker.started == 3 }
        await client.drain(deadline: .seconds(5))
        await world.server.drain(deadline: .seconds(5))
        await world.close()
    }
}
