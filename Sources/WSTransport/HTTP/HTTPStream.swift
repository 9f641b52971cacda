import NetPoll
public import WSFrame

/// A response whose body is written piece by piece, such as events or what is too long to hold.
///
/// In the chunked transfer coding (RFC 9112 §7.1); to a client of HTTP/1.0 until the connection is
/// closed.
public struct HTTPStream: Sendable {
    let head: HTTPResponse
    let produce: @Sendable (HTTPBodyWriter) async throws -> Void

    /// - Parameters:
    ///   - status: Of the response.
    ///   - headers: Of the response, without those of its framing.
    ///   - produce: Writes the body, by the responder's task; not called where there is none, as for
    ///     HEAD. Where it throws, the connection is reset, so that nobody takes the part for the
    ///     whole.
    public init(
        status: HTTPStatus = .ok, headers: [HTTPHeader] = [],
        _ produce: @escaping @Sendable (HTTPBodyWriter) async throws -> Void
    ) {
        head = HTTPResponse(status: status, headers: headers)
        self.produce = produce
    }
}

/// Writes the body of a ``HTTPStream``.
public struct HTTPBodyWriter: Sendable {
    let running: RunningResponder

    /// Writes `bytes`, and waits while the client does not take what was written.
    ///
    /// What several tasks write is mixed by pieces of 64 KiB, or less where the connection's queue is
    /// that short.
    ///
    /// - Throws: `CancellationError` where the client is gone, or takes nothing for
    ///   ``WebSocketServer/Configuration/sendTimeout``.
    public func write(_ bytes: [UInt8]) async throws {
        let most = running.pieceBytes
        guard bytes.count > most else {
            if !bytes.isEmpty { try await writePiece(bytes) }
            return
        }
        for start in stride(from: 0, to: bytes.count, by: most) {
            try await writePiece(Array(bytes[start..<min(bytes.count, start + most)]))
        }
    }

    /// Writes `text` as UTF-8; see ``write(_:)``.
    public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    private func writePiece(_ bytes: [UInt8]) async throws {
        try await withUnsafeThrowingContinuation { waiter in
            let (loop, running) = (running.loop, running)
            if loop.isCurrent {
                running.write(bytes, waiter)
            } else if !loop.execute({ running.write(bytes, waiter) }) {
                waiter.resume(throwing: CancellationError())
            }
        }
    }
}
