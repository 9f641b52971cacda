#if canImport(Glibc)
    internal import Glibc

    /// A counting semaphore on which threads wait (sem_overview(7)).
    ///
    /// `@unchecked Sendable`: the memory is set up once and then used by the C library only, which
    /// allows it from any thread.
    package final class Semaphore: @unchecked Sendable {
        private let semaphore: UnsafeMutablePointer<sem_t>

        package init() {
            semaphore = .allocate(capacity: 1)
            semaphore.initialize(to: sem_t())
            sem_init(semaphore, 0, 0)
        }

        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }

        package func signal() { sem_post(semaphore) }

        package func wait() {
            // Fails only where a signal handler ran (EINTR).
            while sem_wait(semaphore) != 0 {}
        }
    }
#elseif canImport(Darwin)
    internal import Darwin

    /// A counting semaphore on which threads wait, made of a lock and a condition: Darwin's own have
    /// names only (sem_open(2)).
    ///
    /// `@unchecked Sendable`: the count is touched under the lock only.
    package final class Semaphore: @unchecked Sendable {
        private let lock: UnsafeMutablePointer<pthread_mutex_t>
        private let condition: UnsafeMutablePointer<pthread_cond_t>
        private var count = 0

        package init() {
            lock = .allocate(capacity: 1)
            lock.initialize(to: pthread_mutex_t())
            pthread_mutex_init(lock, nil)
            condition = .allocate(capacity: 1)
            condition.initialize(to: pthread_cond_t())
            pthread_cond_init(condition, nil)
        }

        deinit {
            pthread_cond_destroy(condition)
            condition.deallocate()
            pthread_mutex_destroy(lock)
            lock.deallocate()
        }

        package func signal() {
            pthread_mutex_lock(lock)
            count += 1
            pthread_cond_signal(condition)
            pthread_mutex_unlock(lock)
        }

        package func wait() {
            pthread_mutex_lock(lock)
            while count == 0 { pthread_cond_wait(condition, lock) }
            count -= 1
            pthread_mutex_unlock(lock)
        }
    }
#endif
