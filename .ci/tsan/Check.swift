// Shows that the thread sanitizer, with the annotations of mutex.c, neither takes what a mutex guards
// for a race nor overlooks one. With an argument, a race is planted.
import Glibc
import Synchronization

/// `@unchecked Sendable`: `guarded` is touched under the mutex; `planted` is the race.
final class Shared: @unchecked Sendable {
    let mutex = Mutex(())
    var guarded = 0
    var planted = 0
}

@main
enum Check {
    static let shared = Shared()
    static let plantsRace = CommandLine.arguments.count > 1

    static func main() {
        var threads: [pthread_t] = []
        for _ in 0..<4 {
            var thread = pthread_t()
            pthread_create(
                &thread, nil,
                { _ in
                    for _ in 0..<20_000 {
                        Check.shared.mutex.withLock { _ in Check.shared.guarded += 1 }
                        if Check.plantsRace { Check.shared.planted += 1 }
                    }
                    return nil
                }, nil)
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
        guard shared.guarded == 80_000 else { exit(1) }
    }
}
