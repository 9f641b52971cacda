internal import NetPoll

/// When a client stops calling, as too much fails.
///
/// Beside the breaker of each endpoint, which counts failed dials, this one counts what calls came
/// to, whichever endpoint they went to.
public struct ErrorRateBreaking: Hashable, Sendable {
    /// The share of calls that must have failed. Default 0.5.
    public var failureShare = 0.5
    /// How many calls must have ended within ``window``. Default 20.
    public var callsMin = 20
    /// How far back is counted. Default 10 s.
    public var window = Duration.seconds(10)
    /// How long nothing is called then. Default 2 s.
    public var openTime = Duration.seconds(2)
    /// How many calls are let through after that, and must succeed; none may fail. As many more are let
    /// through where these take longer than ``openTime``, as streams do. Default 3.
    public var probes = 3

    public init() {}

    func check() {
        precondition(failureShare > 0 && failureShare <= 1, "a share of \(failureShare)")
        precondition(callsMin > 0, "\(callsMin) calls")
        precondition(window > .zero, "a window of \(window)")
        precondition(openTime > .zero, "an open time of \(openTime)")
        precondition((1...1_000).contains(probes), "\(probes) probes")
    }
}

/// Counts successes and failures in a window of time, and says whether to call.
///
///     closed ──too large a share failed──▶ open ──its time is over──▶ halfOpen ──all probes succeed──▶ closed
///                                           ▲                            │
///                                           └───────a probe fails────────┘
///
/// Reads no clock: time is nanoseconds that do not run backwards.
struct ErrorRateBreaker: Sendable {
    enum State: Hashable, Sendable {
        case closed
        case open(until: Int64)
        /// So many probes are still to be let through, and so many to succeed.
        case halfOpen(toBegin: Int, toSucceed: Int)
    }

    /// A call that was let through; its outcome goes back to the breaker that gave it.
    struct Permit: Hashable, Sendable {
        fileprivate let generation: UInt32
    }

    private static let parts = 10

    private let configuration: ErrorRateBreaking
    private let partNanoseconds: Int64
    private let openNanoseconds: Int64
    private(set) var state = State.closed
    /// When the probes that were let through have taken so long that others are.
    private var probesUntil: Int64 = .max
    /// Rises with each change of the state: what began before says nothing about now.
    private var generation: UInt32 = 0
    /// Of the parts of the window, by their numbers modulo ``parts``.
    private var counts = [(calls: Int, failures: Int)](repeating: (0, 0), count: parts)
    private var part: Int64 = .min

    /// - Precondition: The configuration's values make sense.
    init(_ configuration: ErrorRateBreaking) {
        configuration.check()
        self.configuration = configuration
        partNanoseconds = max(1, configuration.window.inNanoseconds / Int64(Self.parts))
        openNanoseconds = configuration.openTime.inNanoseconds
    }

    /// A call is to be made; `nil` where it is to be refused.
    mutating func begin(at now: Int64) -> Permit? {
        switch state {
        case .closed: break
        case .open(let until):
            guard now >= until else { return nil }
            enter(.halfOpen(toBegin: configuration.probes - 1, toSucceed: configuration.probes))
            probesUntil = openEnd(from: now)
        case .halfOpen(var toBegin, let toSucceed):
            if now >= probesUntil {
                toBegin = configuration.probes
                probesUntil = openEnd(from: now)
            }
            guard toBegin > 0 else { return nil }
            state = .halfOpen(toBegin: toBegin - 1, toSucceed: toSucceed)
        }
        return Permit(generation: generation)
    }

    /// What came of a call.
    ///
    /// - Parameters:
    ///   - permit: The call's.
    ///   - succeeded: Whether it succeeded; `nil` where that says nothing, as it was cancelled.
    ///   - now: The present.
    mutating func ended(_ permit: Permit, succeeded: Bool?, at now: Int64) {
        guard permit.generation == generation else { return }
        switch state {
        case .closed:
            guard let succeeded else { return }
            count(isFailure: !succeeded, at: now)
        case .halfOpen(let toBegin, let toSucceed):
            switch succeeded {
            case nil:
                // Of several sets that all were cancelled one may begin.
                let next = min(toBegin + 1, configuration.probes)
                state = .halfOpen(toBegin: next, toSucceed: toSucceed)
            case false?: enter(.open(until: openEnd(from: now)))
            case true? where toSucceed > 1:
                state = .halfOpen(toBegin: toBegin, toSucceed: toSucceed - 1)
            case true?: enter(.closed)
            }
        case .open: preconditionFailure("a call of generation \(generation) ended while open")
        }
    }

    private mutating func count(isFailure: Bool, at now: Int64) {
        advance(to: now / partNanoseconds)
        let index = Int(part % Int64(Self.parts))
        counts[index].calls += 1
        guard isFailure else { return }
        counts[index].failures += 1
        let (calls, failures) = counts.reduce((0, 0)) { ($0.0 + $1.calls, $0.1 + $1.failures) }
        guard calls >= configuration.callsMin,
            Double(failures) >= configuration.failureShare * Double(calls)
        else { return }
        enter(.open(until: openEnd(from: now)))
    }

    private func openEnd(from now: Int64) -> Int64 {
        let (end, overflow) = now.addingReportingOverflow(openNanoseconds)
        return overflow ? .max : end
    }

    private mutating func advance(to next: Int64) {
        guard next > part else { return }
        let first = max(part == .min ? next : part + 1, next - Int64(Self.parts) + 1)
        for number in first...next { counts[Int(number % Int64(Self.parts))] = (0, 0) }
        part = next
    }

    private mutating func enter(_ next: State) {
        state = next
        generation &+= 1
        guard next == .closed else { return }
        counts = .init(repeating: (0, 0), count: Self.parts)
    }
}
