/// Where an async handler runs.
public enum HandlerExecution: Hashable, Sendable {
    /// On the global concurrent pool: it may take its time.
    case pool
    /// On the loop of the connection, without a change of threads: it must not block.
    case loop
}
