extension RandomNumberGenerator {
    /// A number from 0 up to and without `bound`, from one word of the source.
    ///
    /// The high half of word · bound (Lemire, "Fast Random Integer Generation in an Interval",
    /// 2019), without his rejection: no number is likelier than another by more than bound · 2⁻⁶⁴.
    mutating func next(below bound: UInt64) -> UInt64 {
        next().multipliedFullWidth(by: bound).high
    }

    /// A number from 0 up to and without 1, from one word of the source.
    mutating func nextUnit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
