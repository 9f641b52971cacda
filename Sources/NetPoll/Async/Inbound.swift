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
            @usableFromInline let connection: AsyncConnection

            init(connection: AsyncConnection) {
                self.connection = connection
            }

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
            @inlinable
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ConnectionError) -> ReceivedBytes? {
                // Inlined into the loop over the sequence, where a task that was resumed goes on
                // at once; coming back from a function, it would ask for its executor again.
                var reading = connection.takeReading()
                if reading == nil {
                    reading =
                        connection.isScoped
                        ? await withUnsafeContinuation(isolation: actor) { connection.wait($0) }
                        : await connection.nextReadingCancellable(isolation: actor)
                }
                switch reading {
                case .bytes(let bytes): return bytes
                case .end, nil: return nil
                case .failed(let error): throw error
                }
            }
        }
    }

    /// What is there to be read, where the caller is on the loop.
    @usableFromInline
    func takeReading() -> Reading? { loop.isCurrent ? core.takeReading() : nil }

    @usableFromInline
    func wait(_ reader: UnsafeContinuation<Reading, Never>) {
        if loop.isCurrent {
            core.wait(reader)
        } else if !loop.execute({ core.wait(reader) }) {
            reader.resume(returning: .failed(.closed(.shutdown)))
        }
    }

    @usableFromInline
    func nextReadingCancellable(isolation actor: isolated (any Actor)?) async -> Reading {
        await withTaskCancellationHandler(
            operation: { await withUnsafeContinuation(isolation: actor) { wait($0) } },
            onCancel: { loop.execute { core.cancel() } },
            isolation: actor)
    }

    /// What a task that asked for bytes is given.
    @usableFromInline
    enum Reading: Sendable {
        case bytes(ReceivedBytes)
        case end
        case failed(ConnectionError)
    }
}

extension AsyncConnectionCore {
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
