/// Files that a rule lets through, each with its reason; a line that is no longer needed fails too.
enum Exemptions {
    /// Where JSON is spoken.
    static let foundationEssentials: [String: String] = [
        "Examples/RPCCLI/Call.swift": "checks that a request is JSON",
        "Sources/Hub/Events/Payload+JSON.swift": "events in JSON",
        "Sources/HubSQLite/Tables/Histories.swift": "blobs of GRDB are Data",
        "Sources/HubSQLite/Tables/Inboxes.swift": "blobs of GRDB are Data",
        "Sources/HubSQLite/Tables/MessageColumns.swift": "blobs of GRDB are Data",
        "Sources/RPCJSON/RPCJSONMessage.swift": "messages in JSON",
    ]

    /// Where secrets are compared.
    static let secretComparisons: [String: SecretComparison] = [
        "Sources/HubHTTP/API/APIKeys.swift": SecretComparison(
            call: "ConstantTime.firstIndex(of: key.utf8, in: keys)",
            others: [
                "guard key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) "
                    + "else { throw .invalid }"
            ]),
        "Sources/HubTokens/Tokens/ResumeKey.swift": SecretComparison(
            call: "HMAC<SHA256>.isValidAuthenticationCode(", others: []),
        "Sources/HubWebhooks/WebhookSignature.swift": SecretComparison(
            call: "HMAC<SHA256>.isValidAuthenticationCode(",
            others: [
                "return codes.contains { code in", "secrets.keys.contains { key in",
                "guard sides.count == 2 else { return nil }",
                "guard seconds == nil, let number = Int64(sides[1]), number >= 0,",
                "number < 1 << 40, sides[1] == \"\\(number)\"",
                "guard digits.count == 64 else { return nil }",
            ]),
        "Sources/WSFrame/Client/BasicCredentials.swift": SecretComparison(
            call: "ConstantTime.areEqual(token, expected.dropFirst(6))",
            others: [
                #"precondition(!user.utf8.contains(UInt8(ascii: ":")), "a user name has no colon")"#,
                "(user + password).utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F },",
                #"guard scheme.map(HTTPSyntax.lowercased).elementsEqual("basic ".utf8) "#
                    + "else { return false }",
                #"let token = value.utf8.dropFirst(6).drop { $0 == UInt8(ascii: " ") }"#,
            ]),
    ]

    /// Where sleeping is what is tested.
    static let sleeps: [String: String] = [
        "Tests/HubWebhooksTests/WebhookBench.swift":
            "a receiver that takes its time, on a simulated loop's clock",
        "Tests/NetPollTests/EndingTests.swift": "sleepers that a loop's end wakes",
        "Tests/NetPollTests/LoopClockTests.swift": "virtual time, on a loop's clock",
        "Tests/RPCTests/Calls/OneWayTests.swift":
            "a handler that takes its time, on a simulated loop's clock",
        "Tests/RPCTests/Pooled/TestbedTests.swift":
            "a handler that takes its time, on a simulated loop's clock",
        "Tests/RPCTests/Support/ClientWorld.swift":
            "handlers that take their time, on a simulated loop's clock",
    ]

    /// Where the compiler cannot see that a value is safe to share.
    static let unchecked: [String: String] = [
        "Sources/ConnPool/TCP/EndpointDial.swift":
            "its state is touched on its loop only",
        "Examples/PushDevices/Device.swift":
            "everything is touched on its loop only",
        "Examples/WSClient/Conversation.swift":
            "everything is touched on its loop only",
        "Sources/Hub/Delivery/HubShard.swift":
            "everything but the inbox is touched on the shard's loop only",
        "Sources/HubClientKit/Client/ClientDriver.swift":
            "everything but constants is touched on its loop only",
        "Sources/MessagePackRPC/Calls/PendingReply.swift":
            "the caller's task writes it before it is submitted, then the loop alone",
        "Sources/MessagePackRPC/Connection/MessagePeer.swift":
            "everything but constants is touched on the connection's loop only",
        "Sources/NetPoll/Async/AsyncConnectionCore.swift":
            "everything but constants is touched on the connection's loop only",
        "Sources/NetPoll/Async/Dial.swift":
            "its state is touched on its loop only",
        "Sources/NetPoll/Async/ListenerSeat.swift":
            "the listener is set and used on its loop only",
        "Sources/NetPoll/Async/ReceivedBytes.swift":
            "the memory is written before init and not again while the value lives",
        "Sources/NetPoll/Loop/EventLoop.swift":
            "everything but the inbox and the flags is touched on the loop's own thread only",
        "Sources/NetPoll/Loop/EventLoop+Executor.swift":
            "the loop of its actors' executor is set before anybody else has that executor",
        "Sources/NetPoll/Loop/LoopCells.swift":
            "a cell is read and written on its loop alone, which it checks",
        "Sources/NetPoll/Time/Sleeper.swift":
            "all but the loop is touched on that loop only",
        "Sources/NetPollTesting/SimulatedResolver.swift":
            "used in the test's one thread, like all of a simulated network",
        "Sources/RPC/Calls/RequestBytes.swift":
            "it is written only while nobody else holds it",
        "Sources/RPC/Client/PendingCall.swift":
            "the caller's task and the loop take turns; a hand-over lies between",
        "Sources/RPC/Connection/PeerConnection.swift":
            "everything but constants is touched on the connection's loop only",
        "Sources/RPC/Pooled/Line.swift":
            "it belongs to one call at a time, or to the shelf under its lock",
        "Sources/RPC/Server/RPCServerShards.swift":
            "a place is written and used on its own loop alone",
        "Sources/RPC/Server/ServedCall.swift":
            "the handler's task and the loop take turns; a hand-over lies between",
        "Sources/RPC/Services/MethodTable.swift":
            "entries are immutable, and their handlers Sendable",
        "Sources/RPC/Streams/CallStream.swift":
            "what is not behind its lock is touched on the connection's loop only",
        "Sources/WSTransport/Async/AsyncWebSocketCore.swift":
            "everything but constants is touched on the WebSocket's loop only",
        "Sources/WSTransport/Async/PingTicket.swift":
            "touched on its loop only",
        "Sources/WSTransport/Async/WebSocketDial.swift":
            "its state is touched on its loop only",
        "Sources/WSTransport/HTTP/RunningResponder.swift":
            "all but the loop is touched on that loop only, which its task prefers",
        "Sources/NetPoll/Platform/Semaphore.swift":
            "the memory is used by the C library only, which allows it from any thread",
        "Sources/WSFrame/Frames/PreparedMessage.swift":
            "the frame's bytes are written before init returns and never after",
    ]
}
