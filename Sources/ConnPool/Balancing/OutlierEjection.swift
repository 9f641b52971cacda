/// When an endpoint that does worse than it should is left out for a while.
///
/// The rules and the defaults are those of Envoy's outlier detection.
public struct OutlierEjection: Hashable, Sendable {
    /// How many failures in a row eject an endpoint; 5 by default.
    public var failuresInRowMax = 5
    /// How often success rates are compared, and the memory of old ejections fades; 10 s by default.
    public var interval = Duration.seconds(10)
    /// How long the first ejection lasts; 30 s by default. Each one soon after another lasts longer
    /// by as much.
    public var ejectionTime = Duration.seconds(30)
    /// The longest ejection; 300 s by default.
    public var ejectionTimeMax = Duration.seconds(300)
    /// The greatest share of the endpoints that is ejected at a time; 0.1 by default. One endpoint
    /// may always be.
    public var ejectedShareMax = 0.1
    /// How many endpoints must have been asked often enough for their success rates to be compared;
    /// 5 by default.
    public var rateEndpointsMin = 5
    /// How often an endpoint must have been asked within an interval for its success rate to count;
    /// 100 by default.
    public var rateOutcomesMin = 100
    /// How many standard deviations below the mean of the success rates ejects an endpoint; 1.9 by
    /// default.
    public var rateDeviationsMax = 1.9

    public init() {}

    func validate() {
        precondition(
            failuresInRowMax > 0,
            "1 failure ejects an endpoint at the earliest, not \(failuresInRowMax)")
        precondition(interval > .zero, "an interval is positive, not \(interval)")
        precondition(ejectionTime > .zero, "an ejectionTime is positive, not \(ejectionTime)")
        precondition(
            ejectionTimeMax >= ejectionTime,
            "ejectionTimeMax of \(ejectionTimeMax) is less than ejectionTime of \(ejectionTime)")
        precondition(
            (0...1).contains(ejectedShareMax), "a share is 0 to 1, not \(ejectedShareMax)")
    }
}

/// How an endpoint that comes, or comes back, gets to its full share.
public struct SlowStart: Hashable, Sendable {
    /// How long that takes; 30 s by default.
    public var window: Duration
    /// The part of its share that it begins with; 0.1 by default.
    public var shareMin: Double

    /// - Precondition: `window` is positive and `shareMin` is greater than 0 and at most 1.
    public init(window: Duration = .seconds(30), shareMin: Double = 0.1) {
        precondition(window > .zero, "a slow start takes some time, not \(window)")
        precondition(
            shareMin > 0 && shareMin <= 1, "a slow start begins above 0 and to 1, not \(shareMin)")
        self.window = window
        self.shareMin = shareMin
    }

    /// The part of its share that an endpoint has after so long.
    func ramp(after elapsed: Duration) -> Double {
        elapsed >= window ? 1 : max(shareMin, elapsed / window)
    }

    /// How often ramps are computed anew.
    var step: Duration { window / 100 }
}
