import Distributed
import RPC
import RPCDistributed

/// Who was there, kept by the server: an actor that its clients call as if it were theirs.
distributed actor Guestbook {
    typealias ActorSystem = RPCActorSystem

    static let name = "guestbook"
    private static let guestsMax = 1_000

    private var guests: [String] = []

    /// Writes a name down, and gives how many there are.
    distributed func sign(_ name: String) throws -> Int {
        guard guests.count < Self.guestsMax else {
            throw RPCError(.resourceExhausted, "the book is full")
        }
        guests.append(name)
        return guests.count
    }

    /// What client and server share: the names of the methods on the wire.
    static var methods: RPCActorMethods {
        get async {
            var methods = RPCActorMethods()
            await methods.name("Sign", of: Guestbook.self) { _ = try await $0.sign("") }
            return methods
        }
    }
}
