import ConnPool
import NetPoll
import Synchronization

/// Shows what a pool does, once a second.
final class Table: Sendable {
    private struct State: Sendable {
        var answered = 0
        var failed = 0
        var durations: PoolDurations?
        var rowsShown = 0
        var closed: [String: Int] = [:]
        var notes: [String] = []
    }

    private static let notesMax = 5

    private let pool: TCPConnectionPool
    private let load: Load
    private let isPlain: Bool
    private let state = Mutex(State())

    init(pool: TCPConnectionPool, load: Load, isPlain: Bool) {
        self.pool = pool
        self.load = load
        self.isPlain = isPlain
    }

    /// Takes the pool's events until it is closed.
    func listen() async {
        for await event in pool.events {
            switch event {
            case .closing(_, let reason):
                state.withLock { $0.closed["\(reason)", default: 0] += 1 }
            case .dialFailed(_, let error): note("dial failed: \(error)")
            case .breaker(let breaker): note("breaker: \(breaker)")
            case .leaseOverdue(let lease): note("\(lease)")
            case .dialling, .established, .draining, .closed: break
            }
        }
    }

    func show(second: Int) {
        let (snapshot, counters, durations) = (pool.snapshot, pool.counters, pool.durations)
        let (answered, failed) = (load.answered, load.failed)
        let before = state.withLock { state in
            defer {
                state.answered = answered
                state.failed = failed
                state.durations = durations
            }
            return state
        }
        let waits = before.durations.map { durations.waits.since($0.waits) } ?? durations.waits
        let holds = before.durations.map { durations.holds.since($0.holds) } ?? durations.holds
        var rows = [
            "second \(second): \(answered - before.answered) answers,"
                + " \(failed - before.failed) failures seen by callers"
        ]
        if !isPlain {
            rows += [
                "  \(snapshot)",
                "  waits  \(Self.quantiles(waits))",
                "  leases \(Self.quantiles(holds))",
                "  dials  \(counters.dials) begun, \(counters.dialsFailed) failed,"
                    + " \(counters.dialsElided) given up",
                "  closed "
                    + before.closed.sorted { $0.key < $1.key }
                    .map { "\($0.value) \($0.key)" }.joined(separator: ", "),
                "  last error seen: \(load.lastError ?? "none")",
            ]
            rows += before.notes.map { "  · \($0)" }
        }
        draw(rows)
    }

    private func draw(_ rows: [String]) {
        guard !isPlain else { return rows.forEach { print($0) } }
        let shown = state.withLock { state in
            defer { state.rowsShown = rows.count }
            return state.rowsShown
        }
        // Back to the first row, then each anew (ECMA-48 CPL, EL and ED).
        var text = shown > 0 ? "\u{1b}[\(shown)F" : ""
        for row in rows { text += row.prefix(160) + "\u{1b}[K\n" }
        print(text + "\u{1b}[J", terminator: "")
    }

    private func note(_ text: String) {
        state.withLock { state in
            state.notes.append(text)
            if state.notes.count > Self.notesMax { state.notes.removeFirst() }
        }
    }

    private static func quantiles(_ histogram: DurationHistogram) -> String {
        [("median", 0.5), ("p99", 0.99), ("most", 1)].map { name, quantile in
            "\(name) \(histogram.quantile(quantile).map { "\($0)" } ?? "-")"
        }.joined(separator: ", ")
    }
}
