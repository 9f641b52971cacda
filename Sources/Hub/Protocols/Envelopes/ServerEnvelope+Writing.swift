import HubWire

extension ServerEnvelope {
    /// The fields that say it.
    var fields: FieldSet {
        switch self {
        case .welcome(let welcome): Self.fields(welcome)
        case .publication(let topic, let message, let position):
            .made(.publication) {
                $0.set(.topic, topic)
                $0.set(position)
                $0.set(message)
            }
        case .message(let message):
            .made(.message) { $0.set(message) }
        case .request(let id, let message):
            .made(.request, id) { $0.set(message) }
        case .reply(let id, let payload):
            .made(.reply, id) { $0.set(payload) }
        case .inbox(let id, let message):
            .made(.inbox) {
                $0[.inbox] = .mark(id.rawValue)
                $0.set(message)
            }
        case .subscribed(let answer): Self.fields(answer)
        case .unsubscribed(let id, let topic):
            .made(.unsubscribed, id) { $0.set(.topic, topic) }
        case .published(let id, let position):
            .made(.published, id) { $0.set(position) }
        case .presence(let topic, let changes):
            .made(.presence) {
                $0.set(.topic, topic)
                $0[.joined] = .texts(changes.joined)
                $0[.left] = .texts(changes.left)
                $0.set(.count, changes.count)
            }
        case .members(let id, let topic, let users, let count):
            .made(.members, id) {
                $0.set(.topic, topic)
                $0[.users] = .texts(users)
                $0.set(.count, count)
            }
        case .history(let id, let topic, let page): Self.fields(id, topic, page)
        case .failure(let failure):
            .made(.failure, failure.request) {
                $0.set(.code, Int(failure.code.rawValue))
                $0.set(.reason, failure.text)
                $0.set(.retry, failure.retryAfter)
            }
        case .reconnect(let delay):
            .made(.reconnect) { $0.set(.after, delay) }
        case .token(let token, let expiry):
            .made(.token) {
                $0.set(.token, token)
                $0[.expiry] = .number(expiry.milliseconds)
            }
        case .pong(let id): .made(.pong, id)
        }
    }

    private static func fields(_ welcome: Welcome) -> FieldSet {
        .made(.welcome) {
            $0.set(.session, welcome.session)
            $0.set(.user, welcome.user)
            $0.set(.heartbeat, welcome.heartbeat)
            $0[.resumed] = .flag(welcome.isResumed)
            $0.set(.max, welcome.messageBytesMax)
        }
    }

    private static func fields(_ answer: Subscribed) -> FieldSet {
        .made(.subscribed, answer.request) {
            $0.set(.topic, answer.topic)
            $0.set(answer.position)
            $0[.recovered] = .flag(answer.isRecovered)
            $0.set(.count, answer.count)
        }
    }

    private static func fields(
        _ id: RequestID, _ topic: String, _ page: HistoryPage
    ) -> FieldSet {
        .made(.history, id) {
            $0.set(.topic, topic)
            $0.set(page.end)
            $0[.recovered] = .flag(page.isRecovered)
            $0[.messages] = .fieldSets(
                page.messages.map { stored in
                    var fields = FieldSet()
                    fields[.offset] = .count(stored.offset)
                    fields[.time] = .number(stored.time.milliseconds)
                    fields.set(stored.message)
                    return fields
                })
            $0[.more] = .flag(page.hasMore)
        }
    }
}

extension FieldSet {
    /// An envelope, its kind and id first: whoever reads it as it comes knows at once what it is.
    static func made(
        _ kind: EnvelopeKind, _ id: RequestID? = nil, _ body: (inout FieldSet) -> Void = { _ in }
    ) -> FieldSet {
        var fields = FieldSet(kind)
        fields.set(id)
        body(&fields)
        return fields
    }
}
