import Glibc

/// The seeds of a simulated test: 0 to `count`, or every so many of them where the environment's
/// `LONGWIRE_SEEDS_EVERY` says so, as for a run under a sanitizer, which takes ten times as long.
public func seeds(_ count: UInt64) -> [UInt64] {
    let step = getenv("LONGWIRE_SEEDS_EVERY").flatMap { UInt64(String(cString: $0)) } ?? 1
    return Array(stride(from: 0, to: count, by: Int(max(1, step))))
}
