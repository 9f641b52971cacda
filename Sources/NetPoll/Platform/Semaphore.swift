#if canImport(Glibc)
    internal import Glibc
#endif

/// A counting semaphore on which threads wait (sem_overview(7)).
///
/// `@unchecked Sendable`: the memory is set up once and then used by the C library only, which
/// allows it from any thread.
final class Semaphore: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait() {
        // Fails only where a signal handler ran (EINTR).
        while sem_wait(semaphore) != 0 {}
    }
}
