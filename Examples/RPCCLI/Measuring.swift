import ArgumentParser
import RPC

struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures round trips of small calls, one at a time.",
        discussion: """
            Calls longwire.Health/Check; a server that does not have it answers that it does not, \
            which takes as long.
            """)

    @OptionGroup var target: Target

    @Option(help: "How many calls.")
    var count = 5

    func validate() throws {
        guard (1...1_000_000).contains(count) else {
            throw ValidationError("--count must be from 1 to 1000000.")
        }
    }

    func run() async throws {
        let (options, count) = (target.options, count)
        try await target.withConnection { connection in
            var samples: [Duration] = []
            for number in 1...count {
                let time = try await ContinuousClock().measure {
                    do {
                        _ = try await connection.call(
                            RPCHealthService.check, RPCHealthCheckRequest(), options: options)
                    } catch let error as RPCError where error.code == .unimplemented {
                        // An answer all the same.
                    }
                }
                samples.append(time)
                print("\(number): \(Samples.text(time)) us")
            }
            print(Samples(samples).summary)
        }
    }
}

struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calls a method again and again, and prints rate and latencies.",
        discussion: "rpc-cli bench 127.0.0.1:4000 bench.Echo/Echo --in-flight 64 --seconds 5")

    @OptionGroup var target: Target

    @Argument(help: "SERVICE/METHOD, the service with its package.")
    var method: MethodName

    @Argument(help: "The request, sent as it is.")
    var request = "{}"

    @Option(help: "Calls in flight.")
    var inFlight = 64

    @Option(help: "How long.")
    var seconds = 5.0

    func validate() throws {
        guard (1...65_536).contains(inFlight) else {
            throw ValidationError("--in-flight must be from 1 to 65536.")
        }
        guard seconds > 0, seconds <= 3_600 else {
            throw ValidationError("--seconds must be more than 0 and at most 3600.")
        }
    }

    func run() async throws {
        let (options, method, request) = (target.options, method.method, Array(request.utf8))
        let (inFlight, seconds) = (inFlight, seconds)
        try await target.withConnection(callsMax: inFlight) { connection in
            let end = ContinuousClock.now + .seconds(seconds)
            let samples = try await withThrowingTaskGroup(of: [Duration].self) { tasks in
                for _ in 0..<inFlight {
                    tasks.addTask(executorPreference: connection.loop) {
                        var samples: [Duration] = []
                        var before = ContinuousClock.now
                        while before < end {
                            _ = try await connection.call(method, request, options: options)
                            let after = ContinuousClock.now
                            samples.append(after - before)
                            before = after
                        }
                        return samples
                    }
                }
                return try await tasks.reduce(into: [Duration]()) { $0 += $1 }
            }
            print("\(Int(Double(samples.count) / seconds)) calls/s, \(inFlight) in flight")
            print(Samples(samples).summary)
        }
    }
}

/// Latencies, and what is said of them.
struct Samples {
    private let sorted: [Duration]

    init(_ samples: [Duration]) { sorted = samples.sorted() }

    var summary: String {
        "\(sorted.count) calls, us: min \(at(0)) p50 \(at(0.5)) p99 \(at(0.99)) max \(at(1))"
    }

    private func at(_ share: Double) -> String {
        guard let last = sorted.indices.last else { return "-" }
        return Self.text(sorted[min(last, Int(Double(sorted.count) * share))])
    }

    /// Microseconds with one decimal.
    static func text(_ duration: Duration) -> String {
        "\((duration / .microseconds(1) * 10).rounded() / 10)"
    }
}
