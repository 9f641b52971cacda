import Hub

/// What every command that says something says it with: `event`, `key`, and `data` (any JSON) or `text`.
struct MessageBody: Decodable {
    let event: String?
    let text: String?
    let key: String?

    /// The message of a command whose JSON was decoded before.
    ///
    /// `data` goes to its receivers as it stands there.
    static func message(in json: [UInt8]) throws(CommandFailure) -> HubMessage {
        let body: MessageBody
        do {
            body = try Payload(json, format: .json).decoded()
        } catch {
            throw CommandFailure(.malformed, "the body is not what it has to be")
        }
        let data = JSONMember.value(of: "data", in: json)
        switch (data, body.text) {
        case (let data?, nil):
            return HubMessage(
                Payload(data, format: .json), event: body.event, key: body.key)
        case (nil, let text?):
            return HubMessage(Payload(text: text), event: body.event, key: body.key)
        case (nil, nil), (.some, .some):
            throw CommandFailure(.malformed, "either data or text is needed")
        }
    }
}
