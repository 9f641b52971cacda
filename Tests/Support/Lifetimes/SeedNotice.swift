import Glibc

/// Tells the seed of a world in which something trapped: a trap ends the process before anybody else
/// could, and in an optimised build without a word.
public enum SeedNotice {
    /// Where a thread keeps the seed, plus 1.
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    /// What handled each signal before. `nonisolated(unsafe)`: written by ``install()``, before any of
    /// the signals can be raised, and only read afterwards.
    private nonisolated(unsafe) static let previous =
        UnsafeMutablePointer<sigaction>.allocate(capacity: 64)

    /// From now on a trap within ``during(_:_:)`` tells its seed on standard error; once in a process,
    /// before it has other threads.
    public static func install() {
        _ = key
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                SeedNotice.tell()
                // What failed is run again, and then ends the process as it would have before.
                sigaction(number, SeedNotice.previous + Int(number), nil)
            }
            sigaction(number, &action, previous + Int(number))
        }
    }

    /// Runs `body`, which stays on this thread, as the world of `seed`.
    public static func during<Result>(
        _ seed: UInt64, _ body: () throws -> Result
    ) rethrows -> Result {
        pthread_setspecific(key, UnsafeRawPointer(bitPattern: UInt(seed) &+ 1))
        defer { pthread_setspecific(key, nil) }
        return try body()
    }

    /// Allocates nothing: it runs in a signal's handler (signal-safety(7)).
    private static func tell() {
        guard let place = pthread_getspecific(key) else { return }
        var seed = UInt(bitPattern: place) &- 1
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = digits.count
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(seed % 10)
                seed /= 10
            } while seed > 0
            say("a trap in the world of seed ")
            write(STDERR_FILENO, digits.baseAddress.map { $0 + start }, digits.count - start)
            say("\n")
        }
    }

    private static func say(_ text: StaticString) {
        write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }
}
