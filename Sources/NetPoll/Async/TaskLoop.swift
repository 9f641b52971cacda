import Synchronization

/// The loop of a task that names none.
enum TaskLoop {
    private static let shared = Mutex<EventLoopGroup?>(nil)

    /// The loop that the current task prefers as its executor, or else the one that all such tasks
    /// share, which the first of them starts.
    static func find() throws(SystemError) -> EventLoop {
        if let preferred { return preferred }
        return try shared.withLock { (group) throws(SystemError) -> EventLoop in
            if let group { return group.loops[0] }
            var configuration = EventLoopGroup.Configuration()
            configuration.loops = 1
            let started = try EventLoopGroup(configuration: configuration)
            group = started
            return started.loops[0]
        }
    }

    /// The loop that the current task prefers as its executor, where that can be told.
    static var preferred: EventLoop? {
        guard #available(macOS 26.4, *) else { return nil }
        return withUnsafeCurrentTask { task in
            task?.unownedTaskExecutor?.asTaskExecutor() as? EventLoop
        }
    }
}
