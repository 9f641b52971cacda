/// What an envelope is: its `type`, a name in JSON and a number in MessagePack.
package enum EnvelopeKind: UInt8, CaseIterable, Sendable {
    // Of clients, some of both sides.
    case resume = 0
    case subscribe = 1
    case unsubscribe = 2
    case publish = 3
    case message = 4
    case request = 5
    case reply = 6
    case acknowledge = 7
    case members = 8
    case history = 9
    case refresh = 10
    case ping = 11
    // Of the hub.
    case welcome = 16
    case publication = 17
    case inbox = 18
    case subscribed = 19
    case unsubscribed = 20
    case published = 21
    case presence = 22
    case failure = 23
    case reconnect = 24
    case token = 25
    case pong = 26

    /// As JSON has it.
    package var name: String { Self.names[self] ?? "" }

    /// The longest name's length.
    static let nameBytesMax = 12

    /// - Parameter name: At most ``nameBytesMax`` bytes of ASCII.
    init?(name: String) {
        guard let known = Self.kinds[name] else { return nil }
        self = known
    }

    private static let names = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0, String(describing: $0)) })
    private static let kinds = Dictionary(
        uniqueKeysWithValues: allCases.map { (String(describing: $0), $0) })
}
