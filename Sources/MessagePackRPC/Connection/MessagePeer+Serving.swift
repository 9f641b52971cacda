import MessagePack
import NetPoll

// What the peer asks for.
extension MessagePeer {
    func serve(_ id: UInt32, _ input: RawSpan, _ method: Range<Int>, _ parameters: Range<Int>) {
        let name = String(decoding: input.bytes(in: method), as: UTF8.self)
        guard !isDraining else {
            return answer(id, .failure(MessagePackRPCFault("no more requests are taken")))
        }
        guard let handler = handlers.requests[ExactText(name)] else {
            let start = String(decoding: name.utf8.prefix(256), as: UTF8.self)
            return answer(id, .failure(MessagePackRPCFault("no method \(start)")))
        }
        guard tasks.count < configuration.requestsInFlightMax else {
            let limit = configuration.requestsInFlightMax
            return answer(id, .failure(MessagePackRPCFault("more than \(limit) requests at once")))
        }
        let values = self.parameters(input, parameters)
        let context = MessagePackRPCContext(method: name, connection: .init(self))
        let number = nextTask
        nextTask += 1
        // It cannot end before it is listed: its end is told on this loop.
        tasks[number] = Task.detached(
            executorPreference: handler.execution == .loop ? loop : nil
        ) { [self] in
            let outcome = await handler.outcome(values, context)
            // A loop that was shut down has no connection to answer on.
            _ = onLoop { $0.finished(number, id, outcome) }
        }
    }

    func serveNotification(_ input: RawSpan, _ method: Range<Int>, _ parameters: Range<Int>) {
        guard !isDraining else { return }
        let name = String(decoding: input.bytes(in: method), as: UTF8.self)
        // A handler that compares the name itself must not take long for it.
        let isShort = method.count <= MessagePackRPCHandlers.otherNameBytesMax
        let other = isShort ? handlers.otherNotifications : nil
        guard let handler = handlers.notifications[ExactText(name)] ?? other else { return }
        let context = MessagePackRPCContext(method: name, connection: .init(self))
        handler(self.parameters(input, parameters), context)
    }

    private func parameters(_ input: RawSpan, _ range: Range<Int>) -> MessagePackRPCParameters {
        MessagePackRPCParameters(encoded: input.bytes(in: range), limits: configuration.values)
    }

    private func finished(
        _ number: UInt64, _ id: UInt32, _ outcome: Result<[UInt8], MessagePackRPCFault>
    ) {
        guard tasks.removeValue(forKey: number) != nil else { return }
        answer(id, outcome)
        closeIfDrained()
    }
}
