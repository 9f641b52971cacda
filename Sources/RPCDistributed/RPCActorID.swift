/// The name of a distributed actor; the same on every side, and chosen by the program.
public struct RPCActorID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let name: String

    public init(_ name: String) { self.name = name }

    public var description: String { name }
}
