/// Why a client's request was not carried out.
struct ChatError: Error, Sendable {
    /// The codes of PROTOCOL.md.
    enum Code: String, Encodable, Sendable {
        case badJSON = "bad_json"
        case unknownType = "unknown_type"
        case badVersion = "bad_version"
        case helloFirst = "hello_first"
        case helloTwice = "hello_twice"
        case badName = "bad_name"
        case badRoom = "bad_room"
        case badText = "bad_text"
        case badRef = "bad_ref"
        case notJoined = "not_joined"
        case tooManyRooms = "too_many_rooms"
        case roomFull = "room_full"
        case rateLimited = "rate_limited"
        case overloaded = "overloaded"
    }

    let code: Code
    /// For people.
    let message: String
    var retryAfter: Duration?

    init(_ code: Code, _ message: String, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }
}
