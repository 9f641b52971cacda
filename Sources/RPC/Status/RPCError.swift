/// Why a call failed; what a handler throws to say so to its caller (google/rpc/status.proto).
public struct RPCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Whether the other side may have acted on the call; what decides if it is safe to repeat.
    public enum Execution: Hashable, Sendable {
        /// The handler was not run and will not be.
        case notRun
        /// Nothing is known: the request was sent, and no answer came.
        case unknown
        /// The other side answered.
        case answered
    }

    /// One more thing about a failure, encoded (google.protobuf.Any).
    public struct Detail: Hashable, Sendable {
        /// What ``value`` is, for example `type.googleapis.com/google.rpc.RetryInfo`.
        public var typeURL: String
        public var value: [UInt8]

        public init(typeURL: String, value: [UInt8]) {
            self.typeURL = typeURL
            self.value = value
        }
    }

    public var code: StatusCode
    /// For developers; not for the eyes of users.
    public var message: String
    public var details: [Detail]
    /// Set by the caller's side; it does not travel.
    public internal(set) var execution: Execution

    /// What a handler throws.
    public init(_ code: StatusCode, _ message: String = "", details: [Detail] = []) {
        self.init(code, message, details: details, execution: .answered)
    }

    init(
        _ code: StatusCode, _ message: String, details: [Detail] = [], execution: Execution
    ) {
        precondition(code != .ok, "an error with the status of success")
        self.code = code
        self.message = message
        self.details = details
        self.execution = execution
    }

    /// Whether it is nothing but a code: no status is shorter.
    var isBare: Bool { message.isEmpty && details.isEmpty }

    public var description: String {
        message.isEmpty ? "\(code)" : "\(code): \(message)"
    }
}
