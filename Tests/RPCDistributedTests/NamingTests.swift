import Distributed
import RPCDistributed
import Testing

@Suite("RPCActorMethods")
struct NamingTests {
    @Test func `a name for two methods of one type traps`() async {
        await #expect(processExitsWith: .failure) {
            var methods = RPCActorMethods()
            await methods.name("Forget", of: Greeter.self) { try await $0.forget() }
            await methods.name("Forget", of: Greeter.self) { _ = try await $0.names }
        }
    }

    @Test func `a method with two names traps`() async {
        await #expect(processExitsWith: .failure) {
            var methods = RPCActorMethods()
            await methods.name("Forget", of: Greeter.self) { try await $0.forget() }
            await methods.name("Clear", of: Greeter.self) { try await $0.forget() }
        }
    }
}
