import Conversations

/// What a message allocates that a client sends and a server answers, in both together.
enum WebSocketAllocations {
    private static let (warmUp, counted) = (200, 1_000)

    /// How many kinds of messages allocate.
    static func failing() async throws -> Int {
        var failures = 0
        for form in Conversation.Form.allCases {
            for messageBytes in [64, 1_000, 16 << 10] {
                let conversation = try await Conversation(form, messageBytes: messageBytes)
                let used = try measured(conversation)
                print(
                    "\(used) allocations of \(counted) WebSocket messages there and back: "
                        + "\(form.rawValue), \(messageBytes) bytes")
                if used > 0 { failures += 1 }
            }
        }
        return failures
    }

    /// In one thread, as nothing here waits.
    private static func measured(_ conversation: Conversation) throws -> UInt64 {
        defer { conversation.end() }
        _ = try conversation.open()
        _ = try conversation.talk(warmUp)
        return try conversation.talk(counted).inAll
    }
}
