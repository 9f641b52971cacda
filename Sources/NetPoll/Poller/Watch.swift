extension Poller {
    /// A descriptor that is watched with a callback; see ``Poller/start(_:_:_:)``.
    ///
    /// Not `Sendable`: used by the poller's thread.
    public final class Watch {
        /// The descriptor that is watched.
        public let descriptor: Int32

        let callback: (Watch, Readiness) -> Void
        private weak var poller: Poller?
        private let interest: Interest
        private let registration: Registration

        fileprivate init(
            poller: Poller, descriptor: Int32, interest: Interest, registration: Registration,
            callback: @escaping (Watch, Readiness) -> Void
        ) {
            self.poller = poller
            self.descriptor = descriptor
            self.interest = interest
            self.registration = registration
            self.callback = callback
        }

        /// Ends the watch; the callback is not called again and is released. Before the descriptor
        /// is closed.
        ///
        /// - Returns: Whether it had not ended before.
        @discardableResult
        public func stop() -> Bool { poller?.deregister(registration) ?? false }

        /// Lets the callback be called again, after a ``Interest/oneShot`` event or ``pause()``.
        ///
        /// - Throws: ``SystemError``: EBADF where the watch was stopped.
        public func resume() throws(SystemError) { try modify(interest) }

        /// Keeps the callback from being called until ``resume()``, but for a hang-up or an error.
        ///
        /// - Throws: ``SystemError``: EBADF where the watch was stopped.
        public func pause() throws(SystemError) { try modify([]) }

        private func modify(_ interest: Interest) throws(SystemError) {
            guard let poller else {
                throw SystemError(code: Platform.Errno.badDescriptor, operation: "modify")
            }
            try poller.modify(registration, interest)
        }
    }

    /// Watches `fd` and calls `callback` within ``wait(for:_:)`` when it is ready, until
    /// ``Watch/stop()``.
    ///
    /// - Throws: ``SystemError``, as ``register(_:_:)``.
    @discardableResult
    public func start(
        _ fd: Int32, _ interest: Interest, _ callback: @escaping (Watch, Readiness) -> Void
    ) throws(SystemError) -> Watch {
        let registration = try register(fd, interest)
        let watch = Watch(
            poller: self, descriptor: fd, interest: interest, registration: registration,
            callback: callback)
        setWatch(watch, registration)
        return watch
    }
}
