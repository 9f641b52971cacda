// Half close, graceful close, abort, and telling handlers, a bounded number per turn.
extension EventLoop {
    func beginClose(_ connection: Connection) {
        guard connection.state == .open else { return }
        connection.state = .closing
        let timeout = connection.settings.limits.closeTimeout
        connection.coldState.closeTimer = schedule(after: timeout, connection.coldState)
        if connection.flags.contains(.readingPaused) {
            // Reading goes on, so that the peer's end is seen.
            connection.flags.remove(.readingPaused)
            if !connection.flags.contains(.readEnded) { setReceiving(true, connection) }
        }
        if connection.flags.contains(.readEnded) { connection.flags.insert(.peerEndedFirst) }
        connection.flags.insert(.writeEndWanted)
        markDirty(connection)
        // The end may have been sent before, by a half close.
        if connection.flags.contains([.writeEnded, .readEnded]) { terminate(connection, .peer) }
    }

    func closeWrite(_ connection: Connection) {
        guard connection.isOpen else { return }
        connection.flags.insert(.writeEndWanted)
        markDirty(connection)
    }

    /// Sends end-of-file once all that was written is sent and the end was asked for.
    func finishWriting(_ connection: Connection) {
        guard connection.state != .closed,
            connection.flags.contains(.writeEndWanted), !connection.flags.contains(.writeEnded),
            connection.queuedBytes == 0, !isBlocked(connection)
        else { return }
        connection.flags.insert(.writeEnded)
        driver.shutdownSend(connection.socket)
        if connection.flags.contains(.readEnded) { terminate(connection, reasonOfEnd(connection)) }
    }

    /// Why a connection ended of which both directions are finished.
    func reasonOfEnd(_ connection: Connection) -> CloseReason {
        connection.state == .closing && !connection.flags.contains(.peerEndedFirst)
            ? .local : .peer
    }

    /// Ends a connection. Its handler is told, and its socket closed, before the turn is over, or
    /// in a later turn where very many end at once.
    func terminate(_ connection: Connection, _ reason: CloseReason) {
        guard connection.state != .closed else { return }
        let flushed = connection.flags.contains(.writeEnded)
        connection.state = .closed
        let endedWell = flushed && connection.flags.contains(.readEnded)
        // What the peer has reset needs no reset from here.
        doomed.append((connection, reason, !endedWell && reason != .reset))
        // What it gathered is dropped when the dirty list is walked.
    }

    func carryOutCloses() {
        let end = firstDoomed + min(doomed.count - firstDoomed, configuration.closesPerTurnMax)
        while firstDoomed < end {
            let (reason, resets) = (doomed[firstDoomed].reason, doomed[firstDoomed].resets)
            // Taken out, so that the memory of very many is given back over turns as well.
            let taken = doomed[firstDoomed].connection.take()
            firstDoomed += 1
            guard let connection = taken else { continue }
            if connection.gathered != GatherBuffer.none { flushDirty() }
            // Taken out: the owners of what was queued end with it, and are others' code.
            if let cold = connection.cold.take(), let timer = cold.closeTimer { cancel(timer) }
            if connection.settings.hasDeadlines { deadlines.forget(connection) }
            connection.settings.balancer?.ended(on: index)
            driver.close(connection.socket, reset: resets)
            slots.remove(connection.token)
            counters.closed += 1
            let handler = connection.handler
            connection.handler = UnhandledConnection.shared
            handler.closed(connection, reason: reason)
        }
        muteDoomed()
        if firstDoomed == doomed.count {
            doomed.removeAll(keepingCapacity: doomed.capacity <= 1_024)
            firstDoomed = 0
            firstUnmuted = 0
        }
    }

    /// Stops receiving for those whose end has to wait for a later turn; most are closed in the turn
    /// in which they end, and are spared the system call.
    private func muteDoomed() {
        for index in max(firstDoomed, firstUnmuted)..<doomed.count {
            guard let connection = doomed[index].connection,
                connection.flags.isDisjoint(with: .notReceiving)
            else { continue }
            setReceiving(false, connection)
        }
        firstUnmuted = doomed.count
    }

    /// Closes every listener and aborts the connections there are, a bounded number a turn; then shuts
    /// down.
    package func beginShutDown() {
        checkCurrent()
        isShuttingDown = true
        for token in slots.tokens(.listener) { listener(for: token)?.close() }
        sweepConnections {
            self.terminate($0, .shutdown)
        } done: {
            // As a job, so that this turn carries out the last of these ends as any other does.
            self.execute { self.shutDown() }
        }
    }

    /// Closes every listener and aborts every connection that is left, telling all handlers; in one
    /// turn, which is the last.
    package func shutDown() {
        isStopped = true
        sweeps = []
        for token in slots.tokens(.listener) {
            guard let listener = listener(for: token) else { continue }
            listener.close()
            listener.end()
        }
        for token in slots.tokens(.datagram) { datagramSocket(for: token)?.close() }
        for token in slots.tokens(.attempt) {
            let attempt = slots.object(token)?.takeUnretainedValue() as? any Abandonable
            attempt?.abandon(.shutdown)
        }
        for token in slots.tokens(.connection) {
            guard let connection = connection(for: token)?.takeUnretainedValue() else { continue }
            terminate(connection, .shutdown)
        }
        // Tasks that waited for these connections learn of their end, and may end others.
        runTasksAtEnd()
        driver.submit()
        // Whoever waits for a timer or the turn's end may hold the loop: neither comes any more. A task
        // that is woken by that may arm and ask for them again, as one that connects does.
        var rounds = 0
        repeat {
            dropTimers()
            runTurnTargets()
            runTasksAtEnd()
            rounds += 1
        } while rounds < Self.lastRoundsMax && (!turnTargets.isEmpty || wheel.count > 0)
        turnTargets = []
        driver.submit()
        driver.closeUnreported()
    }

    /// Carries ends out and runs tasks until there are none; those that go on for ever are left to whoever
    /// runs the loop's last jobs.
    private func runTasksAtEnd() {
        var rounds = 0
        repeat {
            carryOutCloses()
            if !released.isEmpty { releaseOwners() }
            runReadyAtEnd()
            rounds += 1
        } while firstDoomed < doomed.count || !released.isEmpty
            || !ready.isEmpty && rounds < Self.lastRoundsMax
    }
}
