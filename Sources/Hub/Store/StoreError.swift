/// A store could not do what it was asked; nothing of the batch has happened.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong.
    public enum Reason: Hashable, Sendable {
        /// It cannot be reached, or takes no more for the time being; trying again may help.
        case unavailable
        /// There is no room left.
        case full
        /// What it holds cannot be read.
        case damaged
        /// ``MessageStore/close()`` was called.
        case closed
    }

    /// What went wrong.
    public let reason: Reason
    /// The engine's own words, for a log.
    public let detail: String

    /// Creates an error.
    public init(_ reason: Reason, detail: String = "") {
        self.reason = reason
        self.detail = detail
    }

    public var description: String {
        let what =
            switch reason {
            case .unavailable: "store unavailable"
            case .full: "store full"
            case .damaged: "store damaged"
            case .closed: "store closed"
            }
        return detail.isEmpty ? what : "\(what): \(detail)"
    }
}
