import NetPoll
import WSFrame
import WSTransport

// What a loop gives its subscribers: everything new to those who keep pace, in one write each, and
// what waits to those who did not, as their connections take it.
extension HubShard {
    /// About what one topic sends to each subscriber per turn; far below any send queue.
    private static let deliveredBytesPerTurn = 128 << 10
    /// About what one session gets of what waits for it per turn.
    private static let resumedBytesPerTurn = 64 << 10
    /// What several topics may hand to one connection in a turn before the others wait.
    private static let handedBytesPerTurn = 256 << 10

    /// Sends what the loop has not read of the part's topic to its subscribers, each of which is
    /// flushed once when the turn ends.
    ///
    /// What is more than a turn's worth is left for the next one, so that the network can take the
    /// first part before the second is queued. `isAlone` says that no other topic is delivered in this one.
    func deliver(_ part: TopicPart, isAlone: Bool) {
        let taken = part.topic.take(
            for: loop.index, into: &batch, bytesMax: Self.deliveredBytesPerTurn)
        part.enter(taken.epoch)
        if part.window.count == 0 { part.window.restart(at: taken.start) }
        let conflates = part.topic.limits.slowSubscribers == .conflate
        var hasVolatile = false
        for entry in batch {
            // One that may be lost replaces none.
            part.window.append(
                entry, bytes: entry.bytes, key: entry.key,
                conflates: conflates && !entry.isVolatile)
            if entry.isVolatile { hasVolatile = true }
        }
        if !batch.isEmpty { fanOut(part, from: taken.start, isAlone) }
        // They take no place from what somebody who is behind will get.
        if hasVolatile { part.window.dropVolatile(from: taken.start) { $0.isVolatile } }
        if let last = batch.last { part.taken = last.position }
        batch.removeAll(keepingCapacity: batch.capacity <= 1_024)
        keepBounds(of: part)
        part.tidy()
        report(part)
        if taken.hasMore { postForNextTurn(part.topic) }
    }

    /// Gives everyone who keeps pace the whole batch.
    ///
    /// A connection tells of its end, and of what it queues, only after the turn's passes: the
    /// subscribers do not change meanwhile.
    private func fanOut(_ part: TopicPart, from start: UInt64, _ isAlone: Bool) {
        var batches: [FrameBatch?] = Array(repeating: nil, count: configuration.protocols.count)
        var delivered = 0
        for index in part.subscribers.indices {
            prefetch(behind: index, part)
            let subscriber = part.subscribers[index]
            guard let link = part.link(at: index) else { continue }
            guard subscriber.cursor.isLive else {
                // One that has just joined is not behind.
                let session = subscriber.session.takeUnretainedValue()
                if mayTakeMore(session) {
                    _ = serve(index, of: part, freshFrom: start, Self.deliveredBytesPerTurn)
                }
                if waits(index, of: part), !session.isBacklogged { resumeLater(session) }
                continue
            }
            let isTaken = link._withUnsafeGuaranteedRef { connection -> Bool in
                guard connection.isOpen else { return true }
                guard !connection.isBacklogged, connection.queuedBytes < Self.handedBytesPerTurn,
                    // What was sent to it alone before goes before.
                    subscriber.session._withUnsafeGuaranteedRef({ $0.extras?.outbox == nil })
                else { return false }
                let frames =
                    batches[Int(subscriber.protocolIndex)]
                    ?? makeBatch(for: subscriber.protocolIndex, in: &batches)
                delivered += frames.frames.count
                if subscriber.isWatched {
                    subscriber.session._withUnsafeGuaranteedRef { session in
                        session.note { $0.live += UInt64(frames.frames.count) }
                    }
                }
                if let whole = frames.whole, connection.compression == nil {
                    connection.send(frames: whole, keptAliveBy: frames, atOnce: isAlone)
                } else {
                    for frame in frames.frames { connection.send(frame) }
                }
                return true
            }
            if !isTaken { fallBehind(index, of: part, at: start) }
        }
        part.metrics.delivered += UInt64(delivered)
    }

    /// Brings what the next subscribers need nearer, while one is served: of very many most lies outside the caches, and
    /// each of these objects is found by the one before it.
    @inline(__always)
    private func prefetch(behind index: Int, _ part: TopicPart) {
        let count = part.subscribers.count
        if index + 3 < count {
            Platform.prefetchObject(part.subscribers[index + 3].session.toOpaque())
        }
        if index + 2 < count, let link = part.link(at: index + 2) {
            Platform.prefetchObject(link.toOpaque())
        }
        if index + 1 < count, let link = part.link(at: index + 1) {
            link._withUnsafeGuaranteedRef { $0.prefetchTransport() }
        }
    }

    private func makeBatch(for index: UInt8, in batches: inout [FrameBatch?]) -> FrameBatch {
        let frames = batch.compactMap {
            $0.frame(for: Int(index), of: configuration.protocols)
        }
        let made = FrameBatch(frames)
        batches[Int(index)] = made
        return made
    }

    private func fallBehind(_ index: Int, of part: TopicPart, at place: UInt64) {
        part.move(index, to: Cursor(.waiting(place)))
        let session = part.subscribers[index].session.takeUnretainedValue()
        session.note { $0.fellBehind += 1 }
        // One that is not stuck is not told when it can take more.
        if !session.isBacklogged { resumeLater(session) }
    }

    // MARK: - Those who are behind

    private func mayTakeMore(_ session: Session) -> Bool {
        guard let connection = session.connection else { return false }
        return connection.isOpen && !connection.isBacklogged
            && connection.queuedBytes < Self.handedBytesPerTurn
    }

    /// Gives the session what waits for it, its own messages first, as much as fits a turn.
    func resume(_ session: Session) {
        guard let connection = session.connection else { return }
        guard mayTakeMore(session) else {
            // One that is full of what this turn has gathered is not told when it can take more.
            if connection.isOpen, !connection.isBacklogged { resumeLater(session) }
            return
        }
        while var outbox = session.outbox {
            session.outbox = nil
            guard let message = outbox.popFirst() else { break }
            connection.send(message)
            session.note { $0.alone += 1 }
            session.outbox = outbox.isEmpty ? nil : outbox
            guard mayTakeMore(session) else { break }
        }
        var budget = Self.resumedBytesPerTurn
        var isBehind = false
        // A topic that always has more than its share does not go first each time.
        let subscriptions = session.subscriptions
        let first = subscriptions.isEmpty ? 0 : nextResumed(of: subscriptions.count)
        for subscription in subscriptions[first...] + subscriptions[..<first] {
            let part = self.part(at: subscription.slot)
            let index = Int(subscription.index)
            guard !part.subscribers[index].cursor.isLive else { continue }
            if budget > 0, mayTakeMore(session) {
                budget -= serve(index, of: part, freshFrom: part.window.end, budget)
            }
            if waits(index, of: part) { isBehind = true }
            part.tidy()
            report(part)
        }
        if session.outbox == nil, session.extras?.inbox != nil { readInbox(session) }
        guard isBehind || session.outbox != nil else { return }
        if !connection.isBacklogged { resumeLater(session) }
    }

    /// Where among so many to begin: anywhere, so that no two sessions that take turns always begin
    /// with the same.
    private func nextResumed(of count: Int) -> Int {
        resumedFirst = resumedFirst &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(resumedFirst &>> 33) % count
    }

    /// Whether there is something that the subscriber lacks.
    private func waits(_ index: Int, of part: TopicPart) -> Bool {
        switch part.subscribers[index].cursor.state {
        case .live: false
        case .waiting(let place): place < part.window.end
        case .catchingUp: true
        }
    }

    /// Gives a subscriber that is behind about `bytesMax` of what it lacks, and returns how much it
    /// was.
    private func serve(
        _ index: Int, of part: TopicPart, freshFrom: UInt64, _ bytesMax: Int
    ) -> Int {
        switch part.subscribers[index].cursor.state {
        case .live: 0
        case .waiting(let place):
            serve(index, of: part, from: place, freshFrom: freshFrom, bytesMax)
        case .catchingUp(let offset): catchUp(index, of: part, after: offset, bytesMax)
        }
    }

    private func serve(
        _ index: Int, of part: TopicPart, from place: UInt64, freshFrom: UInt64, _ bytesMax: Int
    ) -> Int {
        let session = part.subscribers[index].session.takeUnretainedValue()
        guard let connection = session.connection else { return 0 }
        var (place, bytes) = (place, 0)
        var slot = part.window.index(of: place)
        while slot < part.window.indices.upperBound, bytes < bytesMax {
            let waiting = part.window[slot]
            noteGone(from: place, to: waiting.place, of: part, session)
            place = waiting.place + 1
            slot += 1
            if waiting.isReplaced, waiting.place < freshFrom {
                part.metrics.conflated += 1
                session.note { $0.conflated += 1 }
                continue
            }
            send(waiting.message, to: session, on: connection, of: part)
            bytes += waiting.bytes
        }
        // One that has just joined may wait for what the loop has not taken yet.
        if slot == part.window.indices.upperBound, place < part.window.end {
            noteGone(from: place, to: part.window.end, of: part, session)
            place = part.window.end
        }
        part.move(index, to: Cursor(.waiting(place)))
        return bytes
    }

    /// Counts what the window no longer holds: volatile messages, and ones replaced by later ones.
    private func noteGone(
        from place: UInt64, to end: UInt64, of part: TopicPart, _ session: Session
    ) {
        guard place < end else { return }
        let replaced = noteVolatiles(from: place, to: end, of: part, session)
        part.metrics.conflated += replaced
        session.note { $0.conflated += replaced }
    }

    /// Counts the volatile messages that are gone from between two places, and returns how many
    /// others were there.
    private func noteVolatiles(
        from place: UInt64, to end: UInt64, of part: TopicPart, _ session: Session
    ) -> UInt64 {
        let volatiles = part.window.volatiles(from: place, to: end)
        part.metrics.volatileDropped += volatiles
        session.note { $0.volatileDropped += volatiles }
        return end - place - volatiles
    }

    private func catchUp(
        _ index: Int, of part: TopicPart, after offset: UInt64, _ bytesMax: Int
    ) -> Int {
        let session = part.subscribers[index].session.takeUnretainedValue()
        guard let connection = session.connection else { return 0 }
        let read = part.topic.read(after: offset, bytesMax: bytesMax)
        // In another epoch the offset says nothing; this turn's pass finds that out.
        guard read.position.epoch == part.epoch else { return 0 }
        if !read.isGapless {
            part.metrics.gaps += 1
            part.metrics.skipped += read.gone
            session.note {
                $0.gaps += 1
                $0.skipped += read.gone
            }
            var known = read.position
            known.offset -= UInt64(read.messages.count)
            guard tellGap(session, part.topic, known) else {
                connection.close(.tryAgainLater, reason: "too slow")
                return 0
            }
        }
        var bytes = 0
        for entry in read.messages {
            send(entry, to: session, on: connection, of: part)
            bytes += entry.bytes
        }
        part.metrics.caughtUp += UInt64(read.messages.count)
        part.move(
            index,
            to: Cursor(read.continuesAt.map { .waiting($0) } ?? .catchingUp(read.position.offset)))
        return max(bytes, 1)
    }

    private func send(
        _ entry: TopicEntry, to session: Session, on connection: WebSocketConnection,
        of part: TopicPart
    ) {
        guard
            let frame = entry.frame(
                for: Int(session.protocolIndex), of: configuration.protocols)
        else { return }
        connection.send(frame)
        part.metrics.delivered += 1
        session.note { $0.late += 1 }
    }

    /// Tells a client that it missed messages; `false` where its protocol has no word for that.
    private func tellGap(
        _ session: Session, _ topic: Topic, _ position: TopicPosition
    ) -> Bool {
        let answer = ServerEnvelope.Subscribed(
            topic: topic.name, position: position, isRecovered: false)
        guard
            let frame = configuration.protocols[Int(session.protocolIndex)]
                .encode(.subscribed(answer))
        else { return false }
        session.connection?.send(frame)
        return true
    }

    // MARK: - Bounds

    /// Keeps to what may wait: those who need more of it meet their topic's policy.
    private func keepBounds(of part: TopicPart) {
        guard part.window.count > 0 else { return }
        var limits = part.topic.limits
        if directories.ledger.stage == .shrinking {
            limits.waitingMessagesMax /= MemoryLedger.shrunkTo
            limits.waitingBytesMax /= MemoryLedger.shrunkTo
        }
        guard
            part.window.count > limits.waitingMessagesMax
                || part.window.bytes > limits.waitingBytesMax
        else { return }
        part.window.compact()
        let kept = part.window.firstKept(
            messagesMax: limits.waitingMessagesMax, bytesMax: limits.waitingBytesMax)
        guard kept > part.window.indices.lowerBound else { return }
        let start =
            kept < part.window.indices.upperBound ? part.window[kept].place : part.window.end
        for index in part.subscribers.indices {
            if case .waiting(let place) = part.subscribers[index].cursor.state, place < start {
                pass(index, of: part, at: place, to: start)
            }
        }
        if part.behind > 0 { part.window.drop(before: kept) }
    }

    /// Deals with a subscriber that lacks what is dropped, from `place` to before `start`.
    private func pass(_ index: Int, of part: TopicPart, at place: UInt64, to start: UInt64) {
        let session = part.subscribers[index].session.takeUnretainedValue()
        switch part.topic.limits.slowSubscribers {
        case .catchUp:
            let slot = part.window.index(of: place)
            // Where only volatile messages were, it lacks nothing.
            guard slot < part.window.indices.upperBound else {
                return skip(index, of: part, from: place, to: start, session)
            }
            let first = part.window[slot].message
            let known = first.isStored ? first.position.offset - 1 : first.position.offset
            let isKnown = first.position.epoch == part.epoch
            part.move(index, to: isKnown ? Cursor(.catchingUp(known)) : .lost)
        case .skipToOldest, .conflate:
            skip(index, of: part, from: place, to: start, session)
        case .skipToLatest:
            skip(index, of: part, from: place, to: part.window.end, session)
        case .close(let code):
            part.metrics.gaps += 1
            session.note { $0.gaps += 1 }
            skip(index, of: part, from: place, to: part.window.end, session)
            session.connection?.close(code, reason: "too slow")
        }
    }

    private func skip(
        _ index: Int, of part: TopicPart, from place: UInt64, to end: UInt64, _ session: Session
    ) {
        let skipped = noteVolatiles(from: place, to: end, of: part, session)
        part.metrics.skipped += skipped
        session.note { $0.skipped += skipped }
        part.move(index, to: Cursor(.waiting(end)))
    }

    /// Adds what was done to the topic's metrics.
    func report(_ part: TopicPart) {
        if part.countedBytes != part.window.bytes {
            directories.ledger.add(part.window.bytes - part.countedBytes)
            part.countedBytes = part.window.bytes
        }
        guard part.metrics != TopicMetrics() else { return }
        part.topic.add(part.metrics)
        part.metrics = TopicMetrics()
    }
}
