/// A connection as a task sees it: bytes in by `for try await`, bytes out by ``write(_:)-(RawSpan)``.
///
/// ```swift
/// for try await bytes in connection.inbound { try await connection.write(bytes) }
/// ```
///
/// Best used from a task that prefers the connection's ``loop`` as its executor, as the tasks of
/// ``AsyncListener/serve(_:)`` do: then waiting for bytes neither changes the thread nor allocates.
/// From anywhere else the same calls work, each with a way to the loop and back.
public struct AsyncConnection: Sendable {
    package let core: AsyncConnectionCore
    /// The task that ``withLifetime(_:)`` runs in, whose cancellation ends the connection.
    private var scope: Int?
    /// Whether the current task is that one; a child's own cancellation is not seen there.
    @usableFromInline var isScoped: Bool { scope != nil && scope == Self.currentTask }

    package init(_ core: AsyncConnectionCore) {
        self.core = core
    }

    /// The loop that owns the connection.
    public var loop: EventLoop { core.loop }

    /// Names this connection for ever.
    public var id: ConnectionID { core.connection.id }

    /// The peer's address.
    public var peer: SocketAddress { core.peer }

    /// What the peer sends, until its end-of-file. One task reads at a time.
    public var inbound: Inbound { Inbound(connection: self) }

    /// Writes a copy of `bytes`, and waits while more is queued than
    /// ``Connection/Limits/highWatermark``.
    ///
    /// Bytes of any number may be written at once. Writes of several tasks never mix. Cancelling a task
    /// that waits aborts the connection.
    ///
    /// - Throws: ``ConnectionError`` where the connection is closed.
    @inlinable
    public func write(_ bytes: RawSpan) async throws(ConnectionError) {
        let progress = try writeAtOnce(bytes)
        if progress != .written { try await finish(progress, bytes) }
    }

    /// Writes bytes that were received.
    ///
    /// - Throws: ``ConnectionError`` where the connection is closed.
    @inlinable
    public func write(_ bytes: ReceivedBytes) async throws(ConnectionError) {
        let progress = try writeAtOnce(bytes)
        if progress != .written { try await finish(progress, bytes) }
    }

    /// Writes `text` in UTF-8.
    ///
    /// - Throws: ``ConnectionError`` where the connection is closed.
    public func write(_ text: String) async throws(ConnectionError) {
        try await write(text.utf8Span.span.bytes)
    }

    /// Sends what is queued, then end-of-file. The peer may go on sending (half close).
    public func closeWrite() {
        core.onLoop { $0.connection.closeWrite() }
    }

    /// Sends what is queued, then end-of-file, and waits until the connection is closed, at most
    /// ``Connection/Limits/closeTimeout``.
    public func close() async {
        await withUnsafeContinuation { (waiter: AsyncConnectionCore.Waiter) in
            let willRun = core.onLoop {
                $0.connection.close()
                $0.waitUntilClosed(waiter)
            }
            if !willRun { waiter.resume() }
        }
    }

    /// Drops what is queued and resets the connection.
    public func abort() {
        core.onLoop { $0.connection.abort() }
    }

    /// Runs `body`, then closes the connection. Where `body` throws or the task is cancelled the
    /// connection is aborted.
    public func withLifetime<Result>(
        _ body: (AsyncConnection) async throws -> Result
    ) async rethrows -> Result {
        var scoped = self
        scoped.scope = Self.currentTask
        do {
            let result = try await withTaskCancellationHandler {
                try await body(scoped)
            } onCancel: { [core] in
                core.loop.execute { core.cancel() }
            }
            await close()
            return result
        } catch {
            abort()
            throw error
        }
    }

    // The usual case is apart, and not asynchronous: inlined into its caller it costs a call, where
    // coming back from an asynchronous one asks the runtime on which executor to go on.

    /// How far a write came without waiting.
    @usableFromInline
    enum WriteProgress: Sendable {
        case written
        /// Written, but so much is queued that the task has to wait.
        case awaitsRoom
        /// The task has to wait before, or is not on the loop.
        case notBegun
    }

    @usableFromInline
    func writeAtOnce(_ bytes: RawSpan) throws(ConnectionError) -> WriteProgress {
        guard loop.isCurrent, core.mayWrite, bytes.byteCount <= core.pieceBytesMax else {
            return .notBegun
        }
        switch core.writePiece(bytes) {
        case .accepted: return .written
        case .closed: throw core.writeError
        case .aboveHighWatermark: return .awaitsRoom
        case .refused: preconditionFailure("a piece that had room was refused")
        }
    }

    @usableFromInline
    func writeAtOnce(_ bytes: ReceivedBytes) throws(ConnectionError) -> WriteProgress {
        try bytes.withBytes { (span) throws(ConnectionError) in try writeAtOnce(span) }
    }

    @usableFromInline
    func finish(_ progress: WriteProgress, _ bytes: RawSpan) async throws(ConnectionError) {
        // What was taken is written, even where the connection ends meanwhile.
        guard progress == .notBegun else { return await waitForRoom() }
        try await writeLong(bytes.withUnsafeBytes { Array($0) })
    }

    @usableFromInline
    func finish(_ progress: WriteProgress, _ bytes: ReceivedBytes) async throws(ConnectionError) {
        guard progress == .notBegun else { return await waitForRoom() }
        try await writeLong(Array(bytes))
    }

    private func waitForRoom() async {
        await cancellable { await stayingOnLoop { await $0.waitForRoomAlone() } }
    }

    private func writeLong(_ bytes: [UInt8]) async throws(ConnectionError) {
        let error = await cancellable { await stayingOnLoop { await $0.writeInPieces(bytes) } }
        if let error { throw error }
    }

    /// Runs `body` on the loop, also after each of its waits: in a task of its own unless the caller's
    /// prefers the loop.
    ///
    /// `@concurrent`, and so isolated to no actor: an actor's job may run on the loop's thread by chance,
    /// and the next one elsewhere.
    @concurrent
    private func stayingOnLoop<Result: Sendable>(
        _ body: @escaping @Sendable (AsyncConnectionCore) async -> Result
    ) async -> Result {
        if TaskLoop.preferred === loop { return await body(core) }
        return await Task(executorPreference: loop) { [core] in await body(core) }.value
    }

    /// Lets the cancellation of a task that waits end the connection, unless its scope does.
    private func cancellable<Result: Sendable>(_ body: () async -> Result) async -> Result {
        if isScoped { return await body() }
        return await withTaskCancellationHandler {
            await body()
        } onCancel: { [core] in
            core.loop.execute { core.cancel() }
        }
    }

    private static var currentTask: Int? { withUnsafeCurrentTask { $0?.hashValue } }
}
