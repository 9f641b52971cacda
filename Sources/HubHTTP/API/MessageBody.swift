import Hub
import WSFrame
import WSTransport

/// What every request that says something says it with: `event`, `key`, and `data` (any JSON) or `text`.
struct MessageBody: Decodable {
    let event: String?
    let text: String?
    let key: String?

    /// The message of a request.
    ///
    /// `data` goes to its receivers as it stands in the request.
    static func message(of request: PushAPI.Request) throws -> HubMessage {
        let body = try request.body(as: MessageBody.self)
        let data = JSONMember.value(of: "data", in: request.call.body)
        switch (data, body.text) {
        case (let data?, nil):
            return HubMessage(
                Payload(data, format: .json), event: body.event, key: body.key)
        case (nil, let text?):
            return HubMessage(Payload(text: text), event: body.event, key: body.key)
        case (nil, nil), (.some, .some):
            throw APIFailure(.badRequest, "either data or text is needed")
        }
    }
}
