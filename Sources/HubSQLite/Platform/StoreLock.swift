internal import Hub
import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A store's hold on its file: of those that would open it, in whatever process, one has it (flock(2)).
///
/// The engine lets several processes write, and the hub does not: it counts a topic's offsets itself. The
/// lock is on a file of its own, since a closed descriptor of the store's would end the engine's own locks;
/// the system lets go of it where a process ends.
final class StoreLock: Sendable {
    private let descriptor: Mutex<Int32>

    /// Takes hold of the store at `path`.
    ///
    /// - Throws: `StoreError`, as unavailable where somebody else has it.
    init(path: String) throws(StoreError) {
        let file = path + "-lock"
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(.unavailable, detail: "cannot open \(file): errno \(errno)")
        }
        self.descriptor = Mutex(descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw StoreError(.unavailable, detail: "\(path) is in use")
        }
    }

    deinit { release() }

    /// Lets the next one have it.
    func release() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }
}
