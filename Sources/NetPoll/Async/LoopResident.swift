/// The actor of a loop to which the tasks of its connections are isolated.
///
/// A task that waits on an actor is resumed on the actor's executor at once; for one that only prefers
/// an executor the runtime has to look for it, under a lock, every time.
package actor LoopResident {
    private nonisolated let executor: ActorExecutor

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: executor)
    }

    init(_ executor: ActorExecutor) {
        self.executor = executor
    }

    /// Runs `body` on the loop as ``AsyncConnection/withLifetime(_:)`` does.
    func serve(
        _ connection: AsyncConnection,
        _ body: @Sendable (AsyncConnection) async throws -> Void
    ) async throws {
        try await connection.withLifetime(body)
    }
}
