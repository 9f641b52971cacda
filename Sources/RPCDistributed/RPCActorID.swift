internal import MessagePack

/// The name of a distributed actor; the same on every side, and chosen by the program. Two are equal
/// if their names are the same bytes.
public struct RPCActorID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let name: String

    public init(_ name: String) { self.name = name }

    public static func == (left: RPCActorID, right: RPCActorID) -> Bool {
        ExactText(left.name) == ExactText(right.name)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(ExactText(name)) }

    public var description: String { name }
}
