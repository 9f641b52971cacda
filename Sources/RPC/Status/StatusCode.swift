/// How a call ended, in gRPC's numbers, which ttrpc shares (google/rpc/code.proto).
public struct StatusCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    public static let ok = StatusCode(rawValue: 0)
    /// The caller gave the call up.
    public static let cancelled = StatusCode(rawValue: 1)
    /// An error that says no more; also what an error of a handler becomes that is no ``RPCError``.
    public static let unknown = StatusCode(rawValue: 2)
    public static let invalidArgument = StatusCode(rawValue: 3)
    /// The deadline passed first.
    public static let deadlineExceeded = StatusCode(rawValue: 4)
    public static let notFound = StatusCode(rawValue: 5)
    public static let alreadyExists = StatusCode(rawValue: 6)
    public static let permissionDenied = StatusCode(rawValue: 7)
    /// A limit was reached: of calls in flight, of bytes, of credit.
    public static let resourceExhausted = StatusCode(rawValue: 8)
    public static let failedPrecondition = StatusCode(rawValue: 9)
    public static let aborted = StatusCode(rawValue: 10)
    public static let outOfRange = StatusCode(rawValue: 11)
    /// The service or method is not known.
    public static let unimplemented = StatusCode(rawValue: 12)
    /// Either side broke a rule: of the protocol, or of a codec.
    public static let `internal` = StatusCode(rawValue: 13)
    /// There is no connection, or it was lost, or the server drains.
    public static let unavailable = StatusCode(rawValue: 14)
    public static let dataLoss = StatusCode(rawValue: 15)
    public static let unauthenticated = StatusCode(rawValue: 16)

    public var description: String {
        let names = [
            "ok", "cancelled", "unknown", "invalidArgument", "deadlineExceeded", "notFound",
            "alreadyExists", "permissionDenied", "resourceExhausted", "failedPrecondition",
            "aborted", "outOfRange", "unimplemented", "internal", "unavailable", "dataLoss",
            "unauthenticated",
        ]
        return names.indices.contains(Int(rawValue)) ? names[Int(rawValue)] : "status \(rawValue)"
    }
}
