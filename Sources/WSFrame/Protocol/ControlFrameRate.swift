/// Counts the control frames of one second after the other.
package struct ControlFrameRate: Hashable, Sendable {
    private var second: UInt32 = 0
    private var count: UInt32 = 0

    package init() {}

    /// Counts one, at `now` on a clock of the driver's.
    ///
    /// - Throws: ``ProtocolViolation`` beyond ``ProtocolLimits/controlFramesPerSecondMax``.
    package mutating func taken(
        at now: Duration, _ limits: ProtocolLimits
    ) throws(ProtocolViolation) {
        if Self.second(of: now) != second {
            second = Self.second(of: now)
            count = 0
        }
        guard count < limits.controlFramesPerSecondMax else {
            let most = limits.controlFramesPerSecondMax
            throw ProtocolViolation(.excessiveControlFrameRate(max: most))
        }
        count += 1
    }

    /// Whether something was counted that still matters at `now`.
    package func isCurrent(at now: Duration) -> Bool {
        count > 0 && Self.second(of: now) == second
    }

    private static func second(of now: Duration) -> UInt32 {
        UInt32(truncatingIfNeeded: now.components.seconds)
    }
}
