/// The numbers of PROTOCOL.md, as `welcome` tells them.
struct ChatLimits: Encodable, Sendable {
    let nameMax = 32
    let roomMax = 32
    let textMax = 2_000
    let refMax = 40
    let historyMax = 50
    let roomsPerSessionMax = 20
    let messagesPerSecond = 10
    let messagesBurst = 150
}
