import Logging
import NetPoll
import Synchronization

// How a topic's history is kept by a durable store: read when the topic is made, and written before
// a message is delivered.
extension Topic {
    private static let retryAfter = Duration.seconds(1)

    /// Whether what the store knows of it has been read.
    var isLoaded: Bool { state.withLock { $0.isLoaded } }

    /// Reads what the store knows of the topic, and tries again where that fails; before, its
    /// publications by other nodes are followed.
    func load(from store: any MessageStore, on loop: EventLoop) {
        let node = shards[0].directories.node
        Task(executorPreference: loop) {
            await node?.follow(self)
            while true {
                do throws(StoreError) {
                    let page = try await store.history(
                        of: self.name, after: nil, limit: self.pageLimit,
                        at: self.shards[0].configuration.calendar())
                    return self.wasLoaded(page)
                } catch {
                    self.attemptEnded(error)
                    self.shards[0].logger.warning(
                        "a topic could not be read", metadata: ["error": "\(error)"])
                }
                // A loop that has ended sleeps no more.
                do { try await loop.sleep(for: Self.retryAfter) } catch { return }
            }
        }
    }

    /// Runs `body` once the topic is loaded: at once, or later on `loop`, unless the session has ended.
    func whenLoaded(
        on loop: EventLoop, during life: SessionLife, _ body: @escaping @Sendable () -> Void
    ) {
        let isLoaded = state.withLock { state in
            if !state.isLoaded {
                // What was asked for on the loop that reads goes before what is stored then.
                state.waiting.append(during: life) {
                    if loop.isCurrent { body() } else { loop.execute(body) }
                }
            }
            return state.isLoaded
        }
        if isLoaded { body() }
    }

    /// Waits until the topic is loaded, or the task is cancelled; whether it is loaded.
    func loaded() async -> Bool {
        let waiter = ReadingWaiter()
        let isLoaded = state.withLock { state in
            if !state.isLoaded { state.awaitingLoad.append(waiter) }
            return state.isLoaded
        }
        guard !isLoaded, await waiter.answer() != nil else { return true }
        state.withLock { state in state.awaitingLoad.removeAll { $0 === waiter } }
        return false
    }

    /// Waits until what the store knows has been read, or an attempt has failed; where the last one has,
    /// nobody waits for the next, nor does a task that is cancelled.
    ///
    /// - Returns: Why it failed; `nil` where the topic is loaded.
    package func attempted() async -> StoreError? {
        let waiter = ReadingWaiter()
        let answer = state.withLock { state -> StoreError?? in
            if state.isLoaded { return .some(nil) }
            if let failure = state.loadFailure { return .some(failure) }
            state.awaitingAttempt.append(waiter)
            return nil
        }
        if let answer { return answer }
        defer {
            if Task.isCancelled {
                state.withLock { state in state.awaitingAttempt.removeAll { $0 === waiter } }
            }
        }
        return await waiter.answer()
    }

    private func attemptEnded(_ failure: StoreError?) {
        let waiting = state.withLock { state in
            state.loadFailure = failure
            defer { state.awaitingAttempt = [] }
            return state.awaitingAttempt
        }
        for waiter in waiting { waiter.end(failure) }
    }

    private var pageLimit: PageLimit {
        PageLimit(
            messagesMax: max(limits.historyMessagesMax, 1), bytesMax: limits.historyBytesMax)
    }

    private func wasLoaded(_ page: HistoryPage?) {
        let (waiting, waiters, isBehind) = state.withLock { state in
            if let page {
                state.log.load(
                    page.end,
                    page.messages.map { stored in
                        let position = TopicPosition(epoch: page.end.epoch, offset: stored.offset)
                        let entry = TopicEntry(
                            Publication(stored.message), topic: name, position: position,
                            time: stored.time, protocols: protocols)
                        return (entry, stored.message.bytes)
                    })
            }
            state.isLoaded = true
            defer { state.awaitingLoad = [] }
            return (state.waiting.takeAll(), state.awaitingLoad, state.isBehind)
        }
        for body in waiting { body() }
        for waiter in waiters { waiter.end(nil) }
        attemptEnded(nil)
        if isBehind { catchUp() }
    }

    /// What the store keeps of a publication.
    func entry(for publication: Publication, offset: UInt64) -> HistoryAppend {
        var kept = HistoryLimits()
        kept.messagesMax = limits.historyMessagesMax
        kept.bytesMax = limits.historyBytesMax
        kept.age = limits.historyAge
        // A store that does not know a topic with messages has forgotten it: its offsets begin anew, and
        // must not be taken for those that clients know.
        return HistoryAppend(
            topic: name, message: publication.stored(offset: offset),
            epochIfNew: offset > 1 ? .random() : epoch, limits: kept,
            idempotencyKey: publication.idempotencyKey)
    }

    /// Gives a publication to the store, and to the subscribers once that has it.
    func store(
        _ publication: Publication, by writer: HistoryWriter,
        whenDone: (@Sendable (Result<PublishOutcome, StoreError>) -> Void)?
    ) -> PublishOutcome {
        guard state.withLock({ hasRoom(for: publication.bytes, $0) }) else {
            state.withLock { $0.metrics.refused += 1 }
            return .overloaded
        }
        writer.batches.submit(.init(topic: self, publication: publication)) { result in
            switch result.flatMap({ $0 }) {
            case .success(.appended(let position)):
                if let node = self.shards[0].directories.node {
                    node.publish(publication, to: self, at: position)
                } else {
                    self.commit(publication, at: position)
                }
                whenDone?(.success(.published(position)))
            case .success(.duplicate(let position)):
                whenDone?(.success(.published(position)))
            case .failure(let error):
                self.shards[0].logger.warning(
                    "a message was not stored", metadata: ["error": "\(error)"])
                whenDone?(.failure(error))
            }
        }
        return .accepted
    }

    private func commit(_ publication: Publication, at position: TopicPosition) {
        let now = shards[0].configuration.calendar()
        let (wake, isHeard) = state.withLock { state in
            defer { dropOld(&state, at: now) }
            return commit(publication, at: position, now, &state)
        }
        for loop in wake { shards[loop].post(self) }
        if isHeard { letHear() }
    }

    /// Gives a message the place that it has in the store; `isAfterGap` where messages before it, of another
    /// epoch perhaps, are known to be missing.
    func commit(
        _ publication: Publication, at position: TopicPosition, _ time: Timestamp,
        _ state: inout State, isAfterGap: Bool = false
    ) -> (wake: LoopSet, isHeard: Bool) {
        var wake = LoopSet()
        let isGap = isAfterGap || state.log.isGap(before: position)
        let before = state.position
        state.log.expect(position)
        if isGap {
            // Those who hear the topic lack what came before, and are told so at this place of its order. Who
            // has not got there knows it up to before the gap.
            let notice = Publication(gapBefore: position, in: name)
            let entry = TopicEntry(
                notice, topic: name, position: before, time: time, protocols: protocols)
            wake = state.log.announce(entry, bytes: notice.bytes)
        }
        let entry = TopicEntry(
            publication, topic: name, position: position, time: time, protocols: protocols)
        state.metrics.published += 1
        defer { count(&state) }
        for loop in state.log.appendStored(entry, bytes: publication.bytes) { wake.insert(loop) }
        return (wake, state.note(entry))
    }

    /// Publishes, and waits until the store has it, where the hub's store is durable.
    ///
    /// - Parameter publication: What to publish.
    /// - Returns: As for ``publish(_:)``, but for ``PublishOutcome/accepted``.
    /// - Throws: ``StoreError``, and nobody gets it.
    public func publishStored(
        _ publication: Publication
    ) async throws(StoreError) -> PublishOutcome {
        let result = await withCheckedContinuation { continuation in
            publish(publication) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Publishes, and tells when it is done: at once, or when the store has it, on any thread.
    func publish(
        _ publication: Publication,
        whenDone: @escaping @Sendable (Result<PublishOutcome, StoreError>) -> Void
    ) {
        let onion = shards[0].directories.onion
        let outcome = onion.publish(publication, to: self) { append($0, whenDone: whenDone) }
        if outcome != .accepted { whenDone(.success(outcome)) }
    }
}
