import Hub

/// Why a command was not carried out.
public struct CommandFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What programs go by.
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        /// The command is not what it has to be. HTTP: 400.
        case malformed
        /// No key, or an unknown one. HTTP: 401.
        case unauthenticated
        /// There is no campaign of that id. HTTP: 404.
        case unknownCampaign = "unknown_campaign"
        /// The inbox is full, or there are too many campaigns or topics. HTTP: 429.
        case tooMany = "too_many"
        /// The hub or its store cannot take it now; the same command may be tried again. HTTP: 503.
        case unavailable
        /// The store has no room left. HTTP: 507.
        case storeFull = "store_full"
    }

    /// What programs go by.
    public let reason: Reason
    /// For people.
    public let text: String

    /// Creates a failure.
    public init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }

    static let overloaded = CommandFailure(.unavailable, "overloaded")

    init(_ error: StoreError) {
        switch error.reason {
        case .full: self.init(.storeFull, "the store is full")
        case .unavailable, .damaged, .closed:
            self.init(.unavailable, "the store cannot take it now")
        }
    }

    public var description: String { text }
}

extension CommandFailure: APIMessage {
    public init(json: [UInt8]) throws(CommandFailure) {
        let fields = JSONFields(json)
        let name: String = try fields.needed("reason")
        guard let reason = Reason(rawValue: name) else {
            throw CommandFailure(.malformed, "the reason is not known")
        }
        self.init(reason, try fields.value("error") ?? "")
    }

    public func json() throws(CommandFailure) -> [UInt8] {
        try Self.object { object in
            try object.set("reason", reason.rawValue)
            try object.set("error", text)
        }
    }
}
