import HubWire

extension ServerEnvelope {
    /// Reads what a hub said.
    init(_ fields: FieldSet) throws(WireError) {
        switch fields.kind {
        case .welcome: self = .welcome(try Self.welcome(fields))
        case .publication:
            self = .publication(
                topic: try fields.text(.topic), try fields.message(),
                position: try fields.optionalPosition())
        case .message: self = .message(try fields.message())
        case .request: self = .request(try fields.id(), try fields.message())
        case .reply: self = .reply(try fields.id(), try fields.payload())
        case .inbox:
            self = .inbox(InboxID(rawValue: try fields.mark(.inbox)), try fields.message())
        case .subscribed: self = .subscribed(try Self.subscribed(fields))
        case .unsubscribed:
            self = .unsubscribed(try fields.optionalID(), topic: try fields.text(.topic))
        case .published: self = .published(try fields.id(), try fields.optionalPosition())
        case .presence:
            self = .presence(
                topic: try fields.text(.topic),
                PresenceChanges(
                    joined: try fields.texts(.joined), left: try fields.texts(.left),
                    count: try fields.integer(.count)))
        case .members:
            self = .members(
                try fields.id(), topic: try fields.text(.topic), users: try fields.texts(.users),
                count: try fields.integer(.count))
        case .history:
            self = .history(
                try fields.id(), topic: try fields.text(.topic), try Self.page(fields))
        case .failure: self = .failure(try Self.failure(fields))
        case .reconnect: self = .reconnect(after: fields.duration(.after) ?? .zero)
        case .token:
            self = .token(
                try fields.text(.token),
                expiry: Timestamp(milliseconds: try fields.number(.expiry)))
        case .pong: self = .pong(try fields.id())
        case .resume, .subscribe, .unsubscribe, .publish, .acknowledge, .refresh, .ping, nil:
            throw WireError("not an envelope of a hub")
        }
    }

    private static func welcome(_ fields: FieldSet) throws(WireError) -> Welcome {
        Welcome(
            session: try fields.text(.session), user: fields.optionalText(.user),
            heartbeat: fields.duration(.heartbeat), isResumed: try fields.flag(.resumed),
            messageBytesMax: try fields.integer(.max))
    }

    private static func subscribed(_ fields: FieldSet) throws(WireError) -> Subscribed {
        Subscribed(
            request: try fields.optionalID(), topic: try fields.text(.topic),
            position: try fields.position(), isRecovered: try fields.flag(.recovered),
            count: fields.optionalCount(.count).map { Int(clamping: $0) })
    }

    private static func page(_ fields: FieldSet) throws(WireError) -> HistoryPage {
        var messages: [StoredMessage] = []
        for stored in fields.fieldSets(.messages) {
            messages.append(
                StoredMessage(
                    offset: try stored.count(.offset),
                    time: Timestamp(milliseconds: try stored.number(.time)),
                    message: try stored.message()))
        }
        return HistoryPage(
            end: try fields.position(), isRecovered: try fields.flag(.recovered),
            messages: messages, hasMore: try fields.flag(.more))
    }

    private static func failure(_ fields: FieldSet) throws(WireError) -> Failure {
        guard let code = UInt16(exactly: try fields.count(.code)) else {
            throw WireError("code exceeds 16 bits")
        }
        return Failure(
            request: try fields.optionalID(), code: FailureCode(rawValue: code),
            text: fields.optionalText(.reason) ?? "", retryAfter: fields.duration(.retry))
    }
}
