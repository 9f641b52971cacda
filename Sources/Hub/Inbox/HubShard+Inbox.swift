import NetPoll

// The users' inboxes: read from the store, sent, and sent again until they are acknowledged.
extension HubShard {
    /// A session is of a user now.
    func identified(_ session: Session) {
        guard let writer = directories.inboxes,
            configuration.protocols[Int(session.protocolIndex)].subprotocol != nil
        else { return }
        session.stopInbox()
        session.inbox = SessionInbox(session: session, policy: writer.policy)
        readInbox(session)
    }

    /// The user's inbox has something new.
    func inboxChanged(_ session: Session) {
        session.inbox?.delivery.changed()
        readInbox(session)
    }

    /// Every inbox here may have something new: all are read anew, some at a time.
    func inboxesMayHaveChanged() {
        if let walk = inboxWalk {
            walk.isAgain = true
        } else {
            let walk = InboxWalk(self)
            inboxWalk = walk
            walk.goOn()
        }
    }

    /// Reads what the session was not given yet, if there is room and the network takes it.
    func readInbox(_ session: Session) {
        guard let inbox = session.inbox, inbox.delivery.wantsMore, session.outbox == nil else {
            return
        }
        read(session, inbox, after: inbox.delivery.last, messagesMax: inbox.delivery.room)
    }

    /// Something given was not acknowledged in time.
    func inboxIsDue(_ session: Session) {
        guard let inbox = session.inbox, !inbox.delivery.isReading else { return }
        putOffIfBehind(session, inbox)
        guard let first = inbox.delivery.firstDue(at: loop.now) else {
            inbox.schedule()
            return
        }
        let before = first.rawValue == 0 ? nil : InboxID(rawValue: first.rawValue - 1)
        read(session, inbox, after: before, messagesMax: max(inbox.delivery.count, 1))
    }

    /// What is due waits for a client that has not been given yet what was sent before.
    private func putOffIfBehind(_ session: Session, _ inbox: SessionInbox) {
        guard session.isBacklogged || session.outbox != nil else { return }
        inbox.delivery.putOff(dueAt: loop.now)
    }

    func acknowledged(_ ids: [InboxID], by session: Session) {
        guard let inbox = session.inbox, let user = session.user,
            let writer = directories.inboxes
        else { return }
        for id in ids {
            switch inbox.delivery.acknowledged(id) {
            case .inTime:
                inboxTotals.acknowledged += 1
                session.note { $0.acknowledged += 1 }
            case .late: break
            case .unknown: continue
            }
            let shard = self
            let name = session.id
            writer.changes.submit(.acknowledge(InboxReference(user: user, id: id))) { result in
                shard.loop.execute {
                    if let session = shard.sessions[name] {
                        shard.wasNoted(result, id, of: user, session)
                    }
                }
            }
        }
    }

    /// The store has noted an acknowledgement, or failed.
    private func wasNoted(
        _ result: Result<Void, StoreError>, _ id: InboxID, of user: String, _ session: Session
    ) {
        guard case .failure = result else { return readInbox(session) }
        guard let inbox = session.inbox, session.user?.isSameBytes(as: user) ?? false else {
            return
        }
        inbox.delivery.acknowledgementLost(id, at: loop.now)
        inbox.schedule()
    }

    private func read(
        _ session: Session, _ inbox: SessionInbox, after id: InboxID?, messagesMax: Int
    ) {
        guard let user = session.user, let writer = directories.inboxes else { return }
        inbox.delivery.beganReading()
        let (name, now) = (session.id, configuration.calendar())
        let limit = PageLimit(messagesMax: messagesMax, bytesMax: 64 << 10)
        inboxReads += 1
        inbox.read = inboxReads
        let number = inboxReads
        Task(executorPreference: loop) {
            let result: Result<InboxPage, StoreError>
            do throws(StoreError) {
                result = .success(
                    try await writer.store.unacknowledged(
                        of: user, after: id, limit: limit, at: now))
            } catch {
                result = .failure(error)
            }
            self.loop.execute {
                self.inboxWalk?.ended(number)
                // It may have been identified again, and its new inbox reads for itself.
                guard let session = self.sessions[name], session.inbox?.read == number else {
                    return
                }
                self.wasRead(result, of: user, after: id, session)
            }
        }
    }

    private func wasRead(
        _ result: Result<InboxPage, StoreError>, of user: String, after id: InboxID?,
        _ session: Session
    ) {
        guard let inbox = session.inbox, let writer = directories.inboxes else { return }
        inbox.delivery.endedReading()
        guard case .success(let page) = result else {
            inbox.schedule(after: writer.policy.retryAfter)
            return
        }
        putOffIfBehind(session, inbox)
        let now = loop.now
        let wasLast = inbox.delivery.last
        for message in page.messages {
            let reference = InboxReference(user: user, id: message.id)
            switch inbox.delivery.read(message, at: now) {
            case .send:
                writer.changes.submit(.countAttempt(reference)) { _ in }
                inboxTotals.given += 1
                if message.attempts > 0 { inboxTotals.repeated += 1 }
                session.note {
                    $0.given += 1
                    if message.attempts > 0 { $0.repeated += 1 }
                }
                session.tell(.inbox(message.id, message.message))
            case .quarantine:
                writer.changes.submit(.quarantine(reference)) { _ in }
            case .leave:
                break
            }
        }
        inbox.delivery.forget(
            dueAt: now, after: id, upTo: page.hasMore ? page.messages.last?.id : nil)
        if id == wasLast { inbox.delivery.readAll(hasMore: page.hasMore) }
        inbox.schedule()
        readInbox(session)
    }
}

/// A session's delivery with its timer.
final class SessionInbox: TimerTarget {
    var delivery: InboxDelivery
    /// The number of the last reading on its loop, which no other inbox has.
    var read: UInt64 = 0
    private unowned let session: Session
    private var timer = TimerID.none

    init(session: Session, policy: InboxPolicy) {
        self.session = session
        delivery = InboxDelivery(policy: policy)
    }

    /// Looks again when the next message is due, or after so long.
    func schedule(after delay: Duration? = nil) {
        stop()
        let loop = session.loop
        guard let delay = delay ?? delivery.nextDue.map({ $0 - loop.now }) else { return }
        timer = loop.schedule(after: max(delay, .milliseconds(1)), self)
    }

    func stop() {
        if timer != .none { session.loop.cancel(timer) }
        timer = .none
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        timer = .none
        if delivery.nextDue.map({ $0 <= loop.now }) ?? false {
            session.shard.inboxIsDue(session)
        } else {
            session.shard.readInbox(session)
            schedule()
        }
    }
}

extension Session {
    /// Ends the delivery of the inbox.
    func stopInbox() {
        inbox?.stop()
        inbox = nil
    }
}
