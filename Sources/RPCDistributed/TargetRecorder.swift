internal import Distributed
internal import Synchronization

/// Finds out what Swift calls a method: a call of it goes to a system that notes its target.
final class TargetRecorder: Sendable {
    private struct Recorded: Error {}

    private let noted = Mutex<[String]>([])

    var targets: [String] { noted.withLock { $0 } }

    /// A system whose actors are all elsewhere.
    var system: RPCActorSystem { RPCActorSystem(recorder: self) }

    func note(_ target: RemoteCallTarget) -> any Error {
        noted.withLock { $0.append(target.identifier) }
        return Recorded()
    }
}
