import Synchronization

/// Passes a server's listening sockets to its successor, so that no client is refused while one takes
/// the other's place.
///
/// The server waits on a Unix socket whose path both know. Its successor asks there, gets duplicates of
/// the sockets, and waits until the predecessor has let go of everything else, such as its store.
///
/// ```swift
/// let inherited = try await ListenerHandover.inherit(from: path, on: group)
/// // … open the store, make the server …
/// let listeners =
///     inherited.isEmpty
///     ? try await group.listen(on: address) { _, _ in Echo() }
///     : try await group.listen(adopting: inherited) { _, _ in Echo() }
/// let handover = try await ListenerHandover.offer(at: path, on: group) {
///     await listeners.descriptors()
/// }
/// let isSucceeded = await handover.passed { for await _ in signals { break } }
/// await listeners.close()
/// // … serve who is there to the end, close the store …
/// await handover.end()
/// ```
///
/// Clients that connect between the two wait in the sockets' backlogs, which belong to no process. Only
/// processes of the same user, and of root, may succeed and be succeeded. Keep the path where nobody else
/// may write all the same: who may connect to it may hold it up.
public final class ListenerHandover: Sendable {
    /// The most sockets that can be passed.
    public static let socketsMax = Connection.filesQueuedMax

    private let listeners: ListenerGroup
    private let place: HandoverPlace
    private let loops: [EventLoop]

    private init(listeners: ListenerGroup, place: HandoverPlace, loops: [EventLoop]) {
        self.listeners = listeners
        self.place = place
        self.loops = loops
    }

    // MARK: - The predecessor's side

    /// Waits for a successor from now on.
    ///
    /// - Parameters:
    ///   - path: The Unix socket's path; a file that nobody listens on any more is replaced.
    ///   - group: Whose loops do it.
    ///   - descriptors: The sockets to pass, at most ``socketsMax``: the caller's, and duplicated. Asked
    ///     for when a successor asks, who gets none of more than that. Of one with a path the listener
    ///     must not remove that (``Listener/Configuration/removesSocketFile``).
    /// - Returns: What tells of a successor.
    /// - Throws: ``SystemError``, for example EADDRINUSE where another server waits there.
    public static func offer(
        at path: String, on group: EventLoopGroup,
        descriptors: @escaping @Sendable () async -> [Int32]
    ) async throws(SystemError) -> ListenerHandover {
        let place = HandoverPlace(descriptors: descriptors)
        let listeners = try await group.listen(on: .unix(path: path)) { _, _ in
            HandoverWitness(place)
        }
        return ListenerHandover(listeners: listeners, place: place, loops: group.loops)
    }

    /// Returns when a successor has all sockets, or `other` returned.
    ///
    /// To be called once. Where a successor is gone before ``end()``, the next one may ask: the sockets
    /// are kept open for it.
    ///
    /// - Parameter other: What else the server waits for, such as a signal; cancelled where a successor
    ///   was faster.
    /// - Returns: Whether there is a successor, which now waits for ``end()``. Where there is none, and
    ///   the server has closed its sockets, who asks from then on waits for ``end()`` and gets none.
    public func passed(before other: @escaping @Sendable () async -> Void) async -> Bool {
        await withTaskGroup(of: Bool.self) { waiting in
            waiting.addTask { [place] in
                for await _ in place.passed { return true }
                return false
            }
            waiting.addTask {
                await other()
                return false
            }
            let isSucceeded = await waiting.next() ?? false
            waiting.cancelAll()
            if !isSucceeded { place.beginEnding() }
            return isSucceeded
        }
    }

    /// Ends the waiting: removes the path, and lets the successor, if there is one, go on. To be called
    /// when nothing that the two cannot share is held any more; the end of the process does as well.
    public func end() async {
        // The successor will listen there.
        await listeners.close()
        guard let successor = place.end() else { return }
        let loop = loops[Int(successor.loopIndex)]
        await loop.run { loop.connection(successor)?.close() }
    }

    // MARK: - The successor's side

    /// Asks the server that waits at `path` for its listening sockets, and waits until it has let go of
    /// what it does not share.
    ///
    /// - Parameters:
    ///   - path: Where it waits.
    ///   - group: Whose loops do it.
    ///   - patience: How long it may take; the predecessor drains meanwhile. Default 60 s.
    /// - Returns: The sockets, the caller's to adopt or close; none where nobody waits at the path, or
    ///   who did ended before it had passed all of them.
    /// - Throws: ``SystemError``: EBUSY where who waits there lives on, because another succeeds it, it
    ///   has no sockets, or its descriptors are exhausted; EPERM where that is another user's process;
    ///   EMFILE where those of this process are exhausted; ETIMEDOUT; or what connecting to the path
    ///   fails with, such as EACCES.
    public static func inherit(
        from path: String, on group: EventLoopGroup, within patience: Duration = .seconds(60)
    ) async throws(SystemError) -> [Int32] {
        let loop = group.loops[0]
        let result = await withCheckedContinuation { continuation in
            let willRun = loop.execute {
                Heir.ask(at: path, on: loop, within: patience) {
                    continuation.resume(returning: $0)
                }
            }
            if !willRun { continuation.resume(returning: .success([])) }
        }
        return try result.get()
    }
}
