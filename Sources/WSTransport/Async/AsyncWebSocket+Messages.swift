import NetPoll

extension AsyncWebSocket {
    /// What a WebSocket's peer sends, as an asynchronous sequence.
    ///
    /// Receiving pauses while more than ``/NetPoll/Connection/Limits/inboundBytesMax`` waits to be
    /// taken, so that a peer that sends faster than the task reads feels it through TCP's window;
    /// one read more may wait. The sequence ends when the WebSocket was closed by this side, or by the
    /// peer with 1000, 1001 or no code; every other end is thrown.
    public struct Messages: AsyncSequence, Sendable {
        public typealias Element = WebSocketMessage
        public typealias Failure = WebSocketError

        let connection: AsyncWebSocket

        public func makeAsyncIterator() -> Iterator { Iterator(connection: connection) }

        /// Takes the elements of ``AsyncWebSocket/messages``.
        public struct Iterator: AsyncIteratorProtocol {
            let connection: AsyncWebSocket

            /// The next message, or `nil` after the last.
            public mutating func next() async throws(WebSocketError) -> WebSocketMessage? {
                try await next(isolation: #isolation)
            }

            /// The next message, or `nil` after the last.
            ///
            /// Does not suspend where a message waits and the caller is on the WebSocket's loop.
            ///
            /// - Throws: ``WebSocketError`` where the WebSocket ended otherwise than in order, or the
            ///   task was cancelled, which closes the WebSocket.
            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(WebSocketError) -> WebSocketMessage? {
                let core = connection.core
                var reading = core.loop.isCurrent ? core.takeReading() : nil
                if reading == nil {
                    reading =
                        connection.isScoped
                        ? await core.nextReading(isolation: actor)
                        : await core.nextReadingCancellable(isolation: actor)
                }
                switch reading {
                case .message(let message): return message
                case .end, nil: return nil
                case .failed(let error): throw error
                }
            }
        }
    }
}

extension AsyncWebSocketCore {
    func nextReading(isolation actor: isolated (any Actor)?) async -> Reading {
        await withUnsafeContinuation(isolation: actor) { (reader: Reader) in
            if loop.isCurrent {
                wait(reader)
            } else if !loop.execute({ self.wait(reader) }) {
                reader.resume(returning: .failed(.closed(.lost(.shutdown))))
            }
        }
    }

    func nextReadingCancellable(isolation actor: isolated (any Actor)?) async -> Reading {
        await withTaskCancellationHandler(
            operation: { await nextReading(isolation: actor) },
            onCancel: { self.loop.execute { self.cancel() } },
            isolation: actor)
    }
}
