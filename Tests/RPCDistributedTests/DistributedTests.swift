import Distributed
import MessagePack
import NetPoll
import NetPollTesting
import RPC
import RPCTesting
import Testing

@testable import RPCDistributed

distributed actor Greeter {
    typealias ActorSystem = RPCActorSystem

    private var greeted: [String] = []

    distributed func greet(_ name: String, times: Int) -> String {
        greeted.append(name)
        return String(repeating: "Hello, \(name)! ", count: times)
    }

    distributed func forget() { greeted = [] }

    distributed var names: [String] { greeted }

    distributed func fail(_ code: Int32) throws -> Int {
        struct Secret: Error {}
        guard code > 0 else { throw Secret() }
        throw RPCError(StatusCode(rawValue: code), "as was asked")
    }

    distributed func unnamed() {}
}

/// Of another type, with a method of the same name.
distributed actor Vault {
    typealias ActorSystem = RPCActorSystem

    distributed func open() -> Int { 7 }

    distributed func forget() -> Int { 8 }
}

private func makeMethods() async -> RPCActorMethods {
    var methods = RPCActorMethods()
    await methods.name("Greet", of: Greeter.self) { _ = try await $0.greet("", times: 0) }
    await methods.name("Forget", of: Greeter.self) { try await $0.forget() }
    await methods.name("Names", of: Greeter.self) { _ = try await $0.names }
    await methods.name("Fail", of: Greeter.self) { _ = try await $0.fail(0) }
    await methods.name("Open", of: Vault.self) { _ = try await $0.open() }
    await methods.name("Forget", of: Vault.self) { _ = try await $0.forget() }
    return methods
}

@Suite("RPCActorSystem", .timeLimit(.minutes(1)))
struct DistributedTests {
    /// A server with two actors, and a client's system.
    private final class World {
        let bed: RPCTestbed
        let client: RPCClient
        let system: RPCActorSystem
        let elsewhere: RPCActorSystem
        let greeter: Greeter
        let vault: Vault

        init() async throws {
            let methods = await makeMethods()
            let system = RPCActorSystem(methods: methods)
            self.system = system
            greeter = system.named("greeter") { Greeter(actorSystem: system) }
            vault = system.named("vault") { Vault(actorSystem: system) }
            var handlers = RPCHandlers()
            handlers.serve(system)
            bed = try RPCTestbed(handlers: handlers)
            client = bed.makeClient()
            elsewhere = RPCActorSystem(client: client, methods: methods)
        }

        func remote() throws -> Greeter {
            try Greeter.resolve(id: RPCActorID("greeter"), using: elsewhere)
        }

        /// What calling with those bytes as they are comes to.
        func answer(to request: [UInt8]) throws -> Result<[UInt8], RPCError> {
            let client = client
            return try bed.run {
                do throws(RPCError) {
                    return .success(try await client.call(RPCActorService.call, request))
                } catch {
                    return .failure(error)
                }
            }
        }
    }

    private func code(_ answer: Result<[UInt8], RPCError>) -> StatusCode {
        switch answer {
        case .success: .ok
        case .failure(let error): error.code
        }
    }

    @Test func `methods are called by the names of actor and method`() async throws {
        let world = try await World()
        let remote = try world.remote()
        #expect(remote !== world.greeter)
        let text = try world.bed.run { try await remote.greet("Ann", times: 2) }
        #expect(text == "Hello, Ann! Hello, Ann! ")
        #expect(try world.bed.run { try await remote.names } == ["Ann"])
        try world.bed.run { try await remote.forget() }
        #expect(try world.bed.run { try await remote.names } == [])
    }

    @Test func `a call is the array that is documented`() async throws {
        let world = try await World()
        var writer = MessagePackWriter()
        writer.writeArrayHead(count: 4)
        writer.write("greeter")
        writer.write("Greet")
        writer.write("Bob")
        writer.write(1)
        let reply = try world.answer(to: writer.bytes).get()
        #expect(try MessagePackDecoder().decode(String.self, from: reply) == "Hello, Bob! ")
    }

    @Test func `what a method throws comes across as a status`() async throws {
        let world = try await World()
        let remote = try world.remote()
        let known = try #require(throws: RPCError.self) {
            _ = try world.bed.run { try await remote.fail(5) }
        }
        #expect(known.code == .notFound)
        #expect(known.message == "as was asked")
        let secret = try #require(throws: RPCError.self) {
            _ = try world.bed.run { try await remote.fail(0) }
        }
        #expect(secret.code == .unknown)
        #expect(secret.message == "the handler failed")
    }

    @Test func `a server calls an actor of its caller`() async throws {
        let methods = await makeMethods()
        let own = RPCActorSystem(methods: methods)
        let greeter = own.named("visitor") { Greeter(actorSystem: own) }
        enum Door: RPCService {
            static let serviceName = "test.Door"
            static let knock = unary("Knock", [UInt8].self, [UInt8].self)
        }
        var handlers = RPCHandlers()
        handlers.handle(Door.knock) { _, context in
            let system = RPCActorSystem(connection: context.connection, methods: methods)
            let visitor = try Greeter.resolve(id: RPCActorID("visitor"), using: system)
            return Array(try await visitor.greet("Door", times: 1).utf8)
        }
        let bed = try RPCTestbed(handlers: handlers)
        var served = RPCHandlers()
        served.serve(own)
        let client = bed.makeClient(handlers: served)
        // With the first reply the extensions are there, without which nobody is called back.
        _ = try? bed.run { try await client.call(Door.knock, []) }
        let reply = try bed.run { try await client.call(Door.knock, []) }
        #expect(String(decoding: reply, as: UTF8.self) == "Hello, Door! ")
        withExtendedLifetime(greeter) {}
    }

    @Test func `an actor of this system is itself`() async throws {
        let world = try await World()
        let found = try Greeter.resolve(id: RPCActorID("greeter"), using: world.system)
        #expect(found === world.greeter)
        #expect(throws: RPCActorError.otherType(RPCActorID("greeter"))) {
            try Vault.resolve(id: RPCActorID("greeter"), using: world.system)
        }
        #expect(throws: RPCActorError.unknownActor(RPCActorID("nobody"))) {
            try Greeter.resolve(id: RPCActorID("nobody"), using: world.system)
        }
    }

    @Test func `an actor that nobody holds is gone, and its name free`() async throws {
        let world = try await World()
        let remote = try Greeter.resolve(id: RPCActorID("short"), using: world.elsewhere)
        func call() throws -> String {
            try world.bed.run { try await remote.greet("a", times: 1) }
        }
        func callWhileHeld() throws -> String {
            let short = world.system.named("short") { Greeter(actorSystem: world.system) }
            defer { withExtendedLifetime(short) {} }
            return try call()
        }
        #expect(try callWhileHeld() == "Hello, a! ")
        let gone = try #require(throws: RPCError.self) { _ = try call() }
        #expect(gone.code == .notFound)
        #expect(try callWhileHeld() == "Hello, a! ")
    }

    @Test func `a name reaches methods of its own type only`() async throws {
        let world = try await World()
        func request(_ actor: String, _ method: String) -> [UInt8] {
            var writer = MessagePackWriter()
            writer.writeArrayHead(count: 2)
            writer.write(actor)
            writer.write(method)
            return writer.bytes
        }
        #expect(try world.answer(to: request("vault", "Open")) == .success([7]))
        #expect(try world.answer(to: request("vault", "Forget")) == .success([8]))
        #expect(try world.answer(to: request("greeter", "Forget")) == .success([0xc0]))
        #expect(code(try world.answer(to: request("greeter", "Open"))) == .unimplemented)
        let mangled = "$s19RPCDistributedTests7GreeterC7unnamedyyYaKFTE"
        #expect(code(try world.answer(to: request("greeter", mangled))) == .unimplemented)
    }

    @Test func `a method without a name is not called`() async throws {
        let world = try await World()
        let remote = try world.remote()
        let error = try #require(throws: RPCActorError.self) {
            try world.bed.run { try await remote.unnamed() }
        }
        guard case .unnamedMethod(let name) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(name.contains("unnamed"))
    }

    @Test(
        arguments: [
            [], [0xc0], [0x91, 0xa1, 0x61], [0x92, 1, 2], [0x92, 0xa1, 0x61],
            [0xdd, 255, 255, 255, 255],
            // One more byte than the array has.
            [0x92, 0xa1, 0x61, 0xa1, 0x62, 0],
            // 65 arguments.
            [0xdc, 0, 67, 0xa1, 0x61, 0xa1, 0x62] + [UInt8](repeating: 0, count: 65),
        ] as [[UInt8]])
    func `what is no call is refused`(request: [UInt8]) async throws {
        let world = try await World()
        #expect(code(try world.answer(to: request)) == .invalidArgument)
    }

    /// Marks in another order than the canonical one, and two million of them: who sorts them does
    /// not end within the suite's limit.
    @Test func `names of a million marks name nothing`() async throws {
        let world = try await World()
        let marks = "a" + String(repeating: "\u{301}\u{323}", count: 900_000)
        for (actor, method, code) in [
            (marks, "Greet", StatusCode.notFound), ("greeter", marks, .unimplemented),
        ] {
            var writer = MessagePackWriter()
            writer.writeArrayHead(count: 2)
            writer.write(actor)
            writer.write(method)
            guard case .failure(let error) = try world.answer(to: writer.bytes) else {
                Issue.record("\(code) was expected")
                continue
            }
            #expect(error.code == code)
            #expect(error.message.utf8.count < 600)
        }
        let remote = try world.remote()
        #expect(try world.bed.run { try await remote.names } == [])
    }

    @Test func `actors' names are what their bytes are`() async throws {
        let system = RPCActorSystem(methods: RPCActorMethods())
        let composed = system.named("\u{e9}") { Greeter(actorSystem: system) }
        let decomposed = system.named("e\u{301}") { Greeter(actorSystem: system) }
        #expect(try Greeter.resolve(id: RPCActorID("\u{e9}"), using: system) === composed)
        #expect(try Greeter.resolve(id: RPCActorID("e\u{301}"), using: system) === decomposed)
    }

    @Test func `the most arguments are read`() throws {
        let request = [0xdc, 0, 66, 0xa1, 0x61, 0xa1, 0x62] + [UInt8](repeating: 9, count: 64)
        var invocation = try RPCInvocationDecoder(request)
        for _ in 0..<64 { #expect(try invocation.decodeNextArgument() as Int == 9) }
        #expect(throws: RPCError.self) { try invocation.decodeNextArgument() as Int }
    }

    @Test(arguments: [[], ["Ann"], ["Ann", "twice"]])
    func `too few and wrong arguments are refused`(arguments: [String]) async throws {
        let world = try await World()
        var writer = MessagePackWriter()
        writer.writeArrayHead(count: 2 + arguments.count)
        for text in ["greeter", "Greet"] + arguments { writer.write(text) }
        #expect(code(try world.answer(to: writer.bytes)) == .invalidArgument)
        let remote = try world.remote()
        #expect(try world.bed.run { try await remote.names } == [])
    }

    @Test func `an actor without a name traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = Greeter(actorSystem: RPCActorSystem(methods: RPCActorMethods()))
        }
    }

    @Test func `two living actors of one name trap`() async {
        await #expect(processExitsWith: .failure) {
            let system = RPCActorSystem(methods: RPCActorMethods())
            let one = system.named("a") { Greeter(actorSystem: system) }
            let other = system.named("a") { Vault(actorSystem: system) }
            withExtendedLifetime((one, other)) {}
        }
    }

    @Test func `naming without a call traps`() async {
        await #expect(processExitsWith: .failure) {
            var methods = RPCActorMethods()
            await methods.name("Nothing", of: Greeter.self) { _ in }
        }
    }
}
