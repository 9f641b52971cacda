import AllocationCounter
import EchoWorlds
import Testing

@Suite("Allocations", .timeLimit(.minutes(10)))
struct AllocationTests {
    @Test(.enabled(if: allocation_counter_is_active()))
    func `the counter moves`() {
        let before = allocation_counter_count()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 16)
        memory.deallocate()
        #expect(allocation_counter_count() == before + 1)
        var list: [Int] = []
        list.reserveCapacity(Int.random(in: 100...200))
        #expect(allocation_counter_count() > before + 1)
        #expect(list.isEmpty)
    }

    @Test(
        .enabled(if: allocation_counter_is_active()), arguments: EchoDriver.allCases,
        [64, 16 << 10])
    func `an echo by a handler allocates nothing`(
        driver: EchoDriver, messageBytes: Int
    ) throws {
        try expectNone(driver, .handler, messageBytes)
    }

    @Test(
        .enabled(if: allocation_counter_is_active()), arguments: EchoDriver.allCases,
        [64, 16 << 10])
    func `an echo by a task allocates nothing and stays on its thread`(
        driver: EchoDriver, messageBytes: Int
    ) throws {
        try expectNone(driver, .task, messageBytes)
    }

    private func expectNone(
        _ driver: EchoDriver, _ style: EchoServer.Style, _ messageBytes: Int
    ) throws {
        let world = try driver.makeWorld()
        let server = try EchoServer(style, on: world.loop)
        try world.connect(20, to: server.address)
        let message = [UInt8](repeating: 7, count: messageBytes)
        let first = try world.echo(message, rounds: 3)
        #expect(first > 0, "connections were accepted without allocating")
        let used = try world.echo(message, rounds: 50)
        #expect(used == 0)
        #expect(server.strays == 0)
    }
}
