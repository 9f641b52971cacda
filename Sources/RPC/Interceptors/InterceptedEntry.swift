import NetPoll

/// A method with interceptors around its handler.
///
/// An inline handler becomes a task on its loop, as interceptors may wait.
final class InterceptedEntry: MethodEntry {
    private let inner: MethodEntry
    private let chain: InterceptorChain
    private let names: (service: String, method: String)

    init(_ inner: MethodEntry, _ chain: InterceptorChain) {
        self.inner = inner
        self.chain = chain
        names = (
            String(decoding: inner.service, as: UTF8.self),
            String(decoding: inner.method, as: UTF8.self)
        )
        super.init(
            service: names.service, method: names.method, shape: inner.shape,
            execution: inner.execution == .inline ? .loop : inner.execution)
    }

    override func run(_ call: ServedCall) async throws {
        let context = call.context
        let intercepted = InterceptedCall(
            side: .server, service: names.service, method: names.method, shape: inner.shape,
            isOneWay: false, metadata: context.metadata, deadline: context.deadline)
        try await chain.run(intercepted) { [inner] intercepted in
            call.metadata = intercepted.metadata
            guard let deadline = intercepted.deadline,
                deadline.nanoseconds < call.deadline
            else { return try await inner.run(call) }
            call.deadline = deadline.nanoseconds
            call.mailbox.shorten(deadline.nanoseconds, of: call)
            try await RPCDeadline.$current.withValue(deadline) { try await inner.run(call) }
        }
    }
}
