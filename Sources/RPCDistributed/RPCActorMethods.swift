public import Distributed
internal import MessagePack

/// The names that the methods of distributed actors have on the wire.
///
///     var methods = RPCActorMethods()
///     await methods.name("Greet", of: Greeter.self) { _ = try await $0.greet("", times: 0) }
///
/// Both sides share them. They stay what they are when actors, methods and modules are called
/// otherwise in Swift, whose own names for methods never travel. Only methods that have a name can be
/// called from elsewhere.
public struct RPCActorMethods: Sendable {
    private struct Key: Hashable {
        let type: ObjectIdentifier
        let name: ExactText

        init(_ type: any DistributedActor.Type, _ name: String) {
            self.type = ObjectIdentifier(type)
            self.name = ExactText(name)
        }
    }

    private var targets: [Key: String] = [:]
    private var names: [String: String] = [:]

    public init() {}

    /// Names a method.
    ///
    /// - Parameters:
    ///   - name: The name; one that this type of actor does not have yet.
    ///   - type: The actor that has the method.
    ///   - call: Calls the method, and no other, of an actor that answers nothing: the arguments do not
    ///     matter.
    /// - Precondition: `call` calls one method, which is not generic and has no name yet.
    public mutating func name<Act: DistributedActor>(
        _ name: String, of type: Act.Type, _ call: (Act) async throws -> Void
    ) async where Act.ActorSystem == RPCActorSystem {
        let recorder = TargetRecorder()
        do {
            try await call(try Act.resolve(id: RPCActorID(""), using: recorder.system))
        } catch {
            // The recorder's own, where a method was called; the check below finds other ones.
        }
        let recorded = recorder.targets
        precondition(recorded.count == 1, "\(recorded.count) methods were called to name \(name)")
        for target in recorded {
            let key = Key(type, name)
            precondition(targets[key] == nil, "two methods of \(type) are named \(name)")
            precondition(names[target] == nil, "\(target) is named twice")
            targets[key] = target
            names[target] = name
        }
    }

    /// The name of a method, as the caller's side finds it.
    func name(of target: RemoteCallTarget) throws(RPCActorError) -> String {
        guard let name = names[target.identifier] else {
            throw RPCActorError.unnamedMethod("\(target)")
        }
        return name
    }

    /// What Swift calls the method of that name; it is one of this actor's type, and of no other.
    func target(_ name: String, of actor: any DistributedActor) -> String? {
        targets[Key(type(of: actor), name)]
    }
}
