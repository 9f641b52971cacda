/// A server that a pool of several may connect to.
public struct Endpoint: Hashable, Sendable {
    /// What it is called, such as `10.0.0.1:5432`: unique in its pool. Consistent hashing goes by it,
    /// so the same names in another process give the same endpoints for the same keys.
    public let name: String
    /// Its share beside the others' weights; 1 by default.
    public let weight: Int

    /// The greatest weight: 1,000,000.
    public static var weightMax: Int { 1_000_000 }

    /// - Precondition: `weight` is 1 to ``weightMax``.
    public init(name: String, weight: Int = 1) {
        precondition(
            (1...Self.weightMax).contains(weight),
            "a weight is 1 to \(Self.weightMax), not \(weight)")
        self.name = name
        self.weight = weight
    }
}
