import Glibc

/// Runs one operation over and over for a while and prints what it did per second.
struct Bench {
    /// Seconds of processor time per measurement.
    let window: Double

    /// Gigabytes per second of `body`, which works on `bytes` bytes a call.
    func bytes(
        _ operation: String, _ name: String, _ size: Int, bytes: Int, _ body: () -> Void
    ) {
        let perSecond = callsPerSecond(body)
        report(operation, name, size, perSecond * Double(bytes) / 1e9, "GB/s")
    }

    /// Millions per second of what `body` does `count` of a call.
    func count(_ operation: String, _ name: String, _ size: Int, count: Int, _ body: () -> Void) {
        report(operation, name, size, callsPerSecond(body) * Double(count) / 1e6, "M/s")
    }

    private func report(
        _ operation: String, _ name: String, _ size: Int, _ figure: Double, _ unit: String
    ) {
        print("\(operation)\t\(name)\t\(size)\t\(figure)\t\(unit)")
    }

    private func callsPerSecond(_ body: () -> Void) -> Double {
        var batch = 1
        // Batches long enough that reading the clock does not count; this warms up too.
        while seconds({ for _ in 0..<batch { body() } }) < window / 20 { batch *= 2 }
        var calls = 0
        var spent = 0.0
        while spent < window {
            spent += seconds { for _ in 0..<batch { body() } }
            calls += batch
        }
        return Double(calls) / spent
    }

    /// What `body` takes of the processor: other processes on the machine do not count.
    private func seconds(_ body: () -> Void) -> Double {
        let start = Self.processorTime
        body()
        return Self.processorTime - start
    }

    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Keeps the compiler from dropping what nobody reads.
@inline(never)
@_optimize(none)
func keep<Value>(_ value: Value) {}
