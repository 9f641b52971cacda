import NetPoll
import WSFrame
import WSTransport

/// One run: opens the WebSocket, sends lines or pings, and closes.
final class Session: Sendable {
    private let plan: Plan
    private let group: EventLoopGroup
    private let conversation: Conversation

    init(_ plan: Plan) throws(SystemError) {
        self.plan = plan
        var settings = EventLoopGroup.Configuration()
        settings.loops = 1
        group = try EventLoopGroup(configuration: settings)
        var inputSettings = WorkerPool.Configuration()
        inputSettings.threads = 1
        conversation = Conversation(
            on: group.loops[0], input: try WorkerPool(configuration: inputSettings),
            isVerbose: plan.isVerbose)
    }

    /// Does all of it on the loop, and ends the program.
    func start() {
        Task.detached(executorPreference: conversation.loop) { [self] in
            Ending.end(await run())
        }
    }

    /// Closes in order.
    func interrupt(_ signal: CInt) {
        conversation.loop.execute { [conversation] in conversation.interrupt(signal) }
    }

    private func run() async -> Ending {
        let client = WebSocketClient(group: group, configuration: plan.configuration)
        do throws(WebSocketClientError) {
            try await conversation.open(client, plan.request, at: plan.address)
        } catch {
            return conversation.signal.map { .signal($0) } ?? .failed("\(error)", code: 1)
        }
        let problem: String? =
            if let count = plan.pings { await ping(count) } else { await sendLines() }
        let reason = await conversation.close()
        if let signal = conversation.signal { return .signal(signal) }
        if let problem { return .failed(problem, code: 2) }
        return Self.ending(reason)
    }

    private static func ending(_ reason: WebSocketCloseReason) -> Ending {
        let problem: String? =
            switch reason {
            case .local(.normal), .peer(nil), .peer(.normal), .peer(.goingAway): nil
            case .local(let code): "closed with \(code)"
            case .peer(let code?): "the server closed with \(code)"
            case .violation(let violation): "the server broke the protocol: \(violation)"
            case .slowConsumer: "the server takes no messages"
            case .heartbeatTimedOut: "the server is silent"
            case .inputStalled: "the server did not end what it began to send"
            case .closeTimedOut: "the server did not answer the close"
            case .lost(let reason): "the connection ended without a close: \(reason)"
            }
        return problem.map { .failed($0, code: 2) } ?? .done
    }

    /// - Returns: What went wrong with a line, if anything did.
    private func sendLines() async -> String? {
        while let line = await conversation.nextLine() {
            if plan.isHex {
                guard let bytes = Hexadecimal.bytes(line) else {
                    return "\(line.debugDescription) is not hexadecimal"
                }
                guard await conversation.send(bytes, .binary) else { return nil }
            } else {
                guard await conversation.send(Array(line.utf8), .text) else { return nil }
            }
        }
        await conversation.quiet(for: plan.linger)
        return nil
    }

    /// - Returns: What went wrong, if anything did.
    private func ping(_ count: Int) async -> String? {
        var trips = RoundTrips()
        for number in 1...count where !conversation.isOver {
            guard let trip = await conversation.ping(within: plan.timeout) else {
                return conversation.isOver ? nil : "no answer to ping \(number) in time"
            }
            trips.append(trip)
            if number < count { await conversation.pause(for: plan.pingInterval) }
        }
        if let summary = trips.summary { Output.line(summary) }
        return nil
    }
}
