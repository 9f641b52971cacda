extension RPCHandlers {
    /// The same methods, with the tasks of their handlers on the loop: on a simulated one all of a call
    /// happens in its one thread.
    package var onLoop: RPCHandlers {
        var handlers = self
        handlers.moveToLoop()
        return handlers
    }
}

/// A method whose task runs on the loop, whatever it was registered for.
final class LoopEntry: MethodEntry {
    private let inner: MethodEntry

    init(_ inner: MethodEntry) {
        self.inner = inner
        super.init(
            service: String(decoding: inner.service, as: UTF8.self),
            method: String(decoding: inner.method, as: UTF8.self), shape: inner.shape,
            execution: .loop)
    }

    override func run(_ call: ServedCall) async throws { try await inner.run(call) }
}
