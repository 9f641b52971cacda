import Glibc

/// The sanitizers that a test may have to know of.
enum Sanitizer {
    /// Whether the thread sanitizer is at work.
    ///
    /// It does not see `Synchronization.Mutex`, which is taken and released in the standard library's
    /// own, uninstrumented code, and reports what such a lock guards as a race.
    static var isThread: Bool {
        guard let program = dlopen(nil, RTLD_NOW) else { return false }
        defer { dlclose(program) }
        return dlsym(program, "__tsan_init") != nil
    }
}
