import Hub

/// Why a client's request was not carried out.
struct ChatError: Error, Sendable {
    /// The codes of PROTOCOL.md.
    enum Code: UInt16, Sendable {
        case badName = 1_001
        case badRoom = 1_002
        case badText = 1_003
        case badRef = 1_004
        case notJoined = 1_005
        case helloFirst = 1_006
        case helloTwice = 1_007
        case badVersion = 1_008
    }

    let code: Code
    /// For people.
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// As the hub tells it.
    var failure: EventFailure { EventFailure(FailureCode(rawValue: code.rawValue), message) }
}
