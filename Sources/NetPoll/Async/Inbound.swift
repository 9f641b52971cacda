extension AsyncConnection {
    /// What a connection's peer sends, as an asynchronous sequence.
    ///
    /// Each element is all that arrived and was not taken yet. Receiving pauses while more than
    /// ``Connection/Limits/inboundBytesMax`` waits, so that a peer that sends faster than the task
    /// reads feels it through TCP's window. The sequence ends with the peer's end-of-file.
    public struct Inbound: AsyncSequence, Sendable {
        public typealias Element = ReceivedBytes
        public typealias Failure = ConnectionError

        let connection: AsyncConnection

        public func makeAsyncIterator() -> Iterator { Iterator(connection: connection) }

        /// Takes the elements of ``AsyncConnection/inbound``.
        public struct Iterator: AsyncIteratorProtocol {
            let connection: AsyncConnection

            /// The next bytes, or `nil` after the peer's end-of-file.
            public mutating func next() async throws(ConnectionError) -> ReceivedBytes? {
                try await next(isolation: #isolation)
            }

            /// The next bytes, or `nil` after the peer's end-of-file.
            ///
            /// Does not suspend where bytes wait and the caller is on the connection's loop.
            ///
            /// - Throws: ``ConnectionError`` where the connection was reset or closed on this side,
            ///   or the task was cancelled.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ConnectionError) -> ReceivedBytes? {
                let core = connection.core
                var reading = core.loop.isCurrent ? core.takeReading() : nil
                if reading == nil {
                    reading =
                        connection.isScoped
                        ? await core.nextReading(isolation: actor)
                        : await core.nextReadingCancellable(isolation: actor)
                }
                switch reading {
                case .bytes(let bytes): return bytes
                case .end, nil: return nil
                case .failed(let error): throw error
                }
            }
        }
    }
}

extension AsyncConnectionCore {
    func nextReading(isolation actor: isolated (any Actor)?) async -> Reading {
        await withUnsafeContinuation(isolation: actor) { (reader: Reader) in
            if loop.isCurrent {
                wait(reader)
            } else if !loop.execute({ self.wait(reader) }) {
                reader.resume(returning: .failed(.closed(.shutdown)))
            }
        }
    }

    func nextReadingCancellable(isolation actor: isolated (any Actor)?) async -> Reading {
        await withTaskCancellationHandler(
            operation: { await nextReading(isolation: actor) },
            onCancel: { self.loop.execute { self.cancel() } },
            isolation: actor)
    }

    /// Does `body` on the loop: at once where the caller is there, soon otherwise.
    ///
    /// - Returns: Whether it is or will be done: `false` once the loop was shut down.
    @discardableResult
    func onLoop(_ body: @escaping @Sendable (AsyncConnectionCore) -> Void) -> Bool {
        guard loop.isCurrent else { return loop.execute { body(self) } }
        body(self)
        return true
    }
}
