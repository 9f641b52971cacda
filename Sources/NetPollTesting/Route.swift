/// What becomes of a loop's attempts to connect to an address of a simulated network.
public enum Route: Hashable, Sendable {
    /// The attempt takes as long as bytes travel; it is refused where nothing listens. The default.
    case open
    /// As ``open``, but later by this much.
    case delayed(Duration)
    /// No answer comes, ever.
    case blackHole
    /// The attempt is refused even where something listens.
    case refused
    /// The attempt fails with EHOSTUNREACH.
    case unreachable
}
