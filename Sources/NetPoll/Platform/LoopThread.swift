#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Starts threads of loops.
package enum LoopThread {
    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// Runs `body` on a new detached thread.
    package static func start(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let argument = Unmanaged.passRetained(Body(body))
        #if canImport(Glibc)
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { raw in
                    guard let raw else { return nil }
                    Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run()
                    return nil
                }, argument.toOpaque())
        #elseif canImport(Darwin)
            var thread: pthread_t?
            let code = pthread_create(
                &thread, nil,
                { raw in
                    Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run()
                    return nil
                }, argument.toOpaque())
        #endif
        guard code == 0 else {
            argument.release()
            throw SystemError(code: code, operation: "pthread_create")
        }
        #if canImport(Glibc)
            pthread_detach(thread)
        #elseif canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #endif
    }

    /// Lets the calling thread do nothing for so long (nanosleep(2)); a signal may end it before.
    package static func pause(microseconds: Int) {
        var time = timespec(
            tv_sec: microseconds / 1_000_000, tv_nsec: microseconds % 1_000_000 * 1_000)
        nanosleep(&time, nil)
    }
}
