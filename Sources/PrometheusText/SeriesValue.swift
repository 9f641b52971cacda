import CoreMetrics
internal import Synchronization

/// The kinds of families.
enum SeriesKind: String, Sendable {
    case counter
    case gauge
    case histogram
}

/// What a series has to say.
protocol SeriesValue: AnyObject, Sendable {
    static var kind: SeriesKind { get }
    func append(_ name: String, _ labels: String, to text: inout TextFormat)
}

/// Counts upwards; negative increments, which a counter must not have, are ignored.
final class CounterSeries: SeriesValue, CounterHandler {
    static var kind: SeriesKind { .counter }
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        if amount > 0 { value.wrappingAdd(amount, ordering: .relaxed) }
    }

    func reset() { value.store(0, ordering: .relaxed) }

    func append(_ name: String, _ labels: String, to text: inout TextFormat) {
        text.append(name, labels, value.load(ordering: .relaxed))
    }
}

final class FloatingPointCounterSeries: SeriesValue, FloatingPointCounterHandler {
    static var kind: SeriesKind { .counter }
    private let value = Mutex(0.0)

    func increment(by amount: Double) {
        if amount > 0 { value.withLock { $0 += amount } }
    }

    func reset() { value.withLock { $0 = 0 } }

    func append(_ name: String, _ labels: String, to text: inout TextFormat) {
        text.append(name, labels, value.withLock { $0 })
    }
}

final class GaugeSeries: SeriesValue, MeterHandler, RecorderHandler {
    static var kind: SeriesKind { .gauge }
    private let value = Mutex(0.0)

    func set(_ new: Int64) { set(Double(new)) }
    func set(_ new: Double) { value.withLock { $0 = new } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ new: Int64) { set(Double(new)) }
    func record(_ new: Double) { set(new) }

    func append(_ name: String, _ labels: String, to text: inout TextFormat) {
        text.append(name, labels, value.withLock { $0 })
    }
}

/// Counts observations by buckets.
final class HistogramSeries: SeriesValue, RecorderHandler, TimerHandler {
    private struct State {
        /// One more than there are bounds; each without those below.
        var counts: [UInt64]
        var sum = 0.0
    }

    static var kind: SeriesKind { .histogram }
    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: .init(repeating: 0, count: bounds.count + 1)))
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[index] += 1
            state.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func append(_ name: String, _ labels: String, to text: inout TextFormat) {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        let separator = labels.isEmpty ? "" : ","
        var below: UInt64 = 0
        for (index, count) in counts.enumerated() {
            below += count
            let bound =
                index < bounds.count ? TextFormat.number(bounds[index]) : "+Inf"
            text.append("\(name)_bucket", "\(labels)\(separator)le=\"\(bound)\"", Int64(below))
        }
        text.append("\(name)_sum", labels, sum)
        text.append("\(name)_count", labels, Int64(below))
    }
}
