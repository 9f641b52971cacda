import Logging
import NetPoll
import Synchronization

// How a topic takes what nodes publish, its own node among them: in the store's order, and what was
// missed from the store.
extension Topic {
    private static let retryAfter = Duration.seconds(1)

    /// A publication came by the broker.
    func received(_ published: BrokerPublication) {
        guard let position = published.position else {
            // Where the loops are too far behind it is dropped, and counted.
            _ = take(
                Publication(
                    published.message, durability: published.isVolatile ? .volatile : .transient))
            return
        }
        let now = shards[0].configuration.calendar()
        let publication = Publication(published.message)
        let taken = state.withLock { state -> (wake: LoopSet, isHeard: Bool)? in
            let isKnown =
                position.epoch == state.log.epoch && position.offset <= state.log.offset
            guard !isKnown else { return (LoopSet(), false) }
            let isNext =
                position.epoch == state.log.epoch && position.offset == state.log.offset + 1
            guard isNext, state.isLoaded, !state.isCatchingUp else {
                // The store had it before it was published.
                state.isBehind = true
                return nil
            }
            defer { dropOld(&state, at: now) }
            return commit(publication, at: position, now, &state)
        }
        guard let taken else { return catchUp() }
        for loop in taken.wake { shards[loop].post(self) }
        if taken.isHeard { letHear() }
    }

    /// Reads from the store what came after the last message known here.
    func catchUp() {
        let begins = state.withLock { state in
            state.isBehind = true
            guard state.isLoaded, !state.isCatchingUp else { return false }
            state.isCatchingUp = true
            return true
        }
        guard begins, let store = shards[0].directories.histories?.store else { return }
        let loop = shards[0].loop
        Task(executorPreference: loop) {
            while self.state.withLock({ state in
                // What is published from here on is not in the page perhaps, and says so.
                if !state.isBehind { state.isCatchingUp = false }
                defer { state.isBehind = false }
                return state.isBehind
            }) {
                do {
                    try await self.readOn(from: store)
                } catch {
                    self.state.withLock { $0.isBehind = true }
                    self.shards[0].logger.warning(
                        "a topic could not catch up", metadata: ["error": "\(error)"])
                    // A loop that has ended sleeps no more.
                    do { try await loop.sleep(for: Self.retryAfter) } catch { return }
                }
            }
        }
    }

    private func readOn(from store: any MessageStore) async throws(StoreError) {
        let page = try await store.history(
            of: name, after: position, limit: PageLimit(messagesMax: 1_000, bytesMax: 1 << 20),
            at: shards[0].configuration.calendar())
        guard let page else { return }
        var wake = LoopSet()
        var isHeard = false
        let now = ageClock
        state.withLock { state in
            if !page.isRecovered, page.end != state.position { state.metrics.gaps += 1 }
            // Of an epoch that the store has forgotten nobody knows how much of it was missed.
            var isAfterGap =
                !page.isRecovered && page.end.epoch != state.log.epoch && state.log.offset > 0
            for stored in page.messages {
                let position = TopicPosition(epoch: page.end.epoch, offset: stored.offset)
                let isKnown =
                    position.epoch == state.log.epoch && position.offset <= state.log.offset
                guard !isKnown else { continue }
                let (loops, hears) = commit(
                    Publication(stored.message), at: position, stored.time, &state,
                    isAfterGap: isAfterGap)
                isAfterGap = false
                for loop in loops { wake.insert(loop) }
                isHeard = isHeard || hears
            }
            dropOld(&state, at: now)
            if page.hasMore { state.isBehind = true }
        }
        for loop in wake { shards[loop].post(self) }
        if isHeard { letHear() }
    }
}
