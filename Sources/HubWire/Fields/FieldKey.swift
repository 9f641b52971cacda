/// What a field of an envelope is called: by name in JSON, by number in MessagePack.
package enum FieldKey: UInt8, CaseIterable, Sendable {
    case type = 0
    case id = 1
    case topic = 2
    case epoch = 3
    case offset = 4
    case text = 5
    case json = 6
    case bytes = 7
    case event = 8
    case from = 9
    case key = 10
    case durability = 11
    case idempotency = 12
    case ids = 13
    case max = 14
    case token = 15
    case positions = 16
    case credentials = 17
    case session = 18
    case user = 19
    case heartbeat = 20
    case resumed = 21
    case inbox = 22
    case recovered = 23
    case count = 24
    case joined = 25
    case left = 26
    case users = 27
    case messages = 28
    case more = 29
    case time = 30
    case code = 31
    case reason = 32
    case retry = 33
    case after = 34
    case expiry = 35

    /// What its value is.
    enum Shape: Hashable, Sendable {
        case kind
        case flag
        case count
        case number
        case mark
        case text
        case bytes
        case json
        case marks
        case texts
        case fieldSets
    }

    var shape: Shape {
        switch self {
        case .type: .kind
        case .resumed, .recovered, .more: .flag
        case .id, .offset, .max, .heartbeat, .count, .code, .retry, .after: .count
        case .time, .expiry: .number
        case .epoch, .inbox: .mark
        case .ids: .marks
        case .joined, .left, .users: .texts
        case .positions, .messages: .fieldSets
        case .bytes: .bytes
        case .json: .json
        case .topic, .text, .event, .from, .key, .durability, .idempotency, .token, .credentials,
            .session, .user, .reason:
            .text
        }
    }

    /// As JSON has it.
    package var name: String { Self.names[Int(rawValue)] }

    /// The longest name there is.
    static let nameBytesMax = 11

    /// - Parameter name: At most ``nameBytesMax`` bytes of ASCII.
    init?(name: String) {
        guard let known = Self.keys[name] else { return nil }
        self = known
    }

    private static let names = allCases.map { String(describing: $0) }
    private static let keys = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })
}
