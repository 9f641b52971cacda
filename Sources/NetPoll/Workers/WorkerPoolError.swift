/// A pool did not take some work.
public enum WorkerPoolError: Error, Hashable, Sendable {
    /// As much waits as ``WorkerPool/Configuration/queueMax`` allows.
    case full
    /// The pool was shut down.
    case shutdown
}

extension WorkerPoolError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .full: "the worker pool's queue is full"
        case .shutdown: "the worker pool was shut down"
        }
    }
}
