// Gathering a turn's writes, flushing them, and the queue of what the kernel did not take.
extension EventLoop {
    /// Payloads below this are copied even where they could be referenced: copying costs less than
    /// a segment of its own.
    static var referenceBytesMin: Int { 4 << 10 }

    /// Payloads of this many bytes and more are sent at once from the caller's memory: copying them
    /// to save a system call costs as much, and the copy drives what others need out of the caches.
    @inlinable
    package static var throughBytesMin: Int { 16 << 10 }

    func write(_ bytes: UnsafeRawBufferPointer, to connection: Connection) -> WriteOutcome {
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            return connection.isOpen ? outcome(connection) : .closed
        }
        if bytes.count < Self.throughBytesMin,
            let place = reserve(bytes.count, for: connection)
        {
            place.copyMemory(from: base, byteCount: bytes.count)
            return .accepted
        }
        guard connection.isOpen else { return .closed }
        if let refusal = makeRoom(bytes.count, connection) { return refusal }
        if !isBlocked(connection) {
            if bytes.count < Self.throughBytesMin,
                let place = reserve(bytes.count, for: connection)
            {
                place.copyMemory(from: base, byteCount: bytes.count)
                return .accepted
            }
            return writeThrough(UnsafeRawBufferPointer(start: nil, count: 0), bytes, connection)
        }
        connection.coldState.queue.append(copying: bytes)
        return rose(connection)
    }

    func write(
        _ bytes: UnsafeRawBufferPointer, keptAliveBy owner: AnyObject, to connection: Connection
    ) -> WriteOutcome {
        guard bytes.count >= Self.referenceBytesMin, let base = bytes.baseAddress else {
            return write(bytes, to: connection)
        }
        guard connection.isOpen else { return .closed }
        if let refusal = makeRoom(bytes.count, connection) { return refusal }
        let segment = Segment(base: base, count: bytes.count)
        if isBlocked(connection) {
            connection.coldState.queue.append(segment, retained: .passRetained(owner))
            return rose(connection)
        }
        if !gather.fits(MemoryLayout<GatherBuffer.Reference>.size) { flushDirty() }
        // The flush may have blocked or ended this very connection.
        guard connection.state == .open else { return .closed }
        if isBlocked(connection) {
            connection.coldState.queue.append(segment, retained: .passRetained(owner))
            return rose(connection)
        }
        append(
            piece: gather.start(.init(segment: segment, owner: .passRetained(owner))), connection)
        dirty.entry(connection.gathered).pointee.bytes += bytes.count
        return .accepted
    }

    /// Takes a head and its body both, or neither.
    func write(
        head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer, to connection: Connection
    ) -> WriteOutcome {
        guard connection.isOpen else { return .closed }
        if let refusal = makeRoom(head.count + body.count, connection) { return refusal }
        if body.count >= Self.throughBytesMin, !isBlocked(connection) {
            return writeThrough(head, body, connection)
        }
        let outcome = write(head, to: connection)
        guard outcome == .accepted || outcome == .aboveHighWatermark else { return outcome }
        return write(body, to: connection)
    }

    /// A place in the gather buffer; `nil` where the write must take the long way.
    @inline(__always)
    func reserve(_ count: Int, for connection: Connection) -> UnsafeMutableRawPointer? {
        // Usually a connection adds to what it has just written itself.
        if connection.gathered != GatherBuffer.none, connection.isOpen, connection.cold == nil,
            count <= 64 << 10
        {
            let writes = dirty.entry(connection.gathered)
            let (tail, bytes) = (writes.pointee.tail, writes.pointee.bytes)
            if tail != GatherBuffer.none,
                bytes &+ count <= connection.settings.limits.sendQueueBytesMax,
                let place = gather.extendIfLast(tail, by: count)
            {
                writes.pointee.bytes = bytes &+ count
                return place
            }
        }
        return reservePiece(count, for: connection)
    }

    @inline(never)
    private func reservePiece(
        _ count: Int, for connection: Connection
    ) -> UnsafeMutableRawPointer? {
        guard connection.isOpen, !isBlocked(connection),
            count <= configuration.gatherBufferBytes / 4,
            connection.queuedBytes + count <= connection.settings.limits.sendQueueBytesMax
        else { return nil }
        if !gather.fits(count) {
            flushDirty()
            guard connection.isOpen, !isBlocked(connection) else { return nil }
        }
        markDirty(connection)
        let writes = dirty.entry(connection.gathered)
        writes.pointee.bytes += count
        let tail = writes.pointee.tail
        if tail != GatherBuffer.none, gather.isExtensible(tail) {
            return gather.extend(tail, by: count)
        }
        let (piece, place) = gather.start(count)
        append(piece: piece, connection)
        return place
    }

    private func append(piece: UInt32, _ connection: Connection) {
        markDirty(connection)
        let writes = dirty.entry(connection.gathered)
        if writes.pointee.head == GatherBuffer.none {
            writes.pointee.head = piece
        } else {
            gather.link(writes.pointee.tail, to: piece)
        }
        writes.pointee.tail = piece
    }

    func markDirty(_ connection: Connection) {
        guard connection.gathered == GatherBuffer.none else { return }
        connection.gathered = UInt32(dirty.count)
        dirty.append(GatheredWrites(connection: Unmanaged.passUnretained(connection)))
    }

    /// Bytes that this turn gathered for `connection` so far.
    func gatheredBytes(_ connection: Connection) -> Int {
        let index = connection.gathered
        return index == GatherBuffer.none ? 0 : dirty.entry(index).pointee.bytes
    }

    /// Takes the chain of pieces gathered for `connection`, of which the caller sees to all.
    private func takeGathered(_ connection: Connection) -> UInt32 {
        guard connection.gathered != GatherBuffer.none else { return GatherBuffer.none }
        let writes = dirty.entry(connection.gathered)
        let head = writes.pointee.head
        writes.pointee.head = GatherBuffer.none
        writes.pointee.tail = GatherBuffer.none
        writes.pointee.bytes = 0
        return head
    }

    func isBlocked(_ connection: Connection) -> Bool {
        guard let cold = connection.cold else { return false }
        return !cold.queue.isEmpty
    }

    func outcome(_ connection: Connection) -> WriteOutcome {
        connection.flags.contains(.aboveHigh) ? .aboveHighWatermark : .accepted
    }

    /// Keeps the queue's bound: sends what was gathered, then asks the policy.
    ///
    /// - Returns: The refusal, or `nil` where `count` bytes may be taken.
    private func makeRoom(_ count: Int, _ connection: Connection) -> WriteOutcome? {
        let limits = connection.settings.limits
        if connection.queuedBytes + count > limits.sendQueueBytesMax { flush(connection) }
        guard connection.state == .open else { return .closed }
        if connection.queuedBytes + count <= limits.sendQueueBytesMax { return nil }
        switch limits.overflow {
        case .refuse:
            return .refused
        case .close:
            // A write longer than the whole bound may still fit into the kernel's buffer, but not behind a file.
            if connection.queuedBytes == 0, !isBlocked(connection) { return nil }
            terminate(connection, .sendQueueOverflow)
            return .closed
        }
    }

    /// Sends a large write, and a head before it, straight from the caller's memory.
    private func writeThrough(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, _ connection: Connection
    ) -> WriteOutcome {
        flush(connection)
        guard connection.state == .open else { return .closed }
        var sent = 0
        if !isBlocked(connection) {
            var count = 0
            let place = placeBefore(body, for: head)
            let lent = place?.loadUnaligned(as: SIMD16<UInt8>.self)
            if let place, let base = head.baseAddress {
                place.copyMemory(from: base, byteCount: head.count)
                segments[0] = Segment(base: place, count: head.count + body.count)
                count = 1
            } else {
                if let base = head.baseAddress, head.count > 0 {
                    segments[0] = Segment(base: base, count: head.count)
                    count = 1
                }
                if let base = body.baseAddress {
                    segments[count] = Segment(base: base, count: body.count)
                    count += 1
                }
            }
            defer { if let place, let lent { place.storeBytes(of: lent, as: SIMD16<UInt8>.self) } }
            counters.sends += 1
            switch driver.send(
                connection.socket, .init(rebasing: segments[..<count]), token: connection.token)
            {
            case .sent(let count):
                sent = count
                if count > 0 { connection.noteSent() }
            case .failed(let errno):
                terminate(connection, reason(ofBroken: errno))
                return .closed
            }
        }
        let rest = head.count + body.count - sent
        guard rest > 0 else { return outcome(connection) }
        guard connection.queuedBytes + rest <= connection.settings.limits.sendQueueBytesMax else {
            terminate(connection, .sendQueueOverflow)
            return .closed
        }
        if sent < head.count {
            connection.coldState.queue.append(copying: .init(rebasing: head[sent...]))
        }
        connection.coldState.queue.append(
            copying: .init(rebasing: body[max(0, sent - head.count)...]))
        return rose(connection)
    }

    /// Where `head` may stand right before `body` while both are sent, so that they are one segment, and the kernel's
    /// copy of the body is aligned: in the receive buffer, before what is echoed.
    ///
    /// - Returns: `nil` where they are apart. Else 16 bytes may be read and written there, as the body is longer.
    private func placeBefore(
        _ body: UnsafeRawBufferPointer, for head: UnsafeRawBufferPointer
    ) -> UnsafeMutableRawPointer? {
        guard head.count > 0, head.count <= 16, let base = body.baseAddress,
            let start = receiveBuffer.baseAddress
        else { return nil }
        let offset = base - UnsafeRawPointer(start)
        guard offset >= head.count, offset + body.count <= receiveBuffer.count else { return nil }
        return start + (offset - head.count)
    }

    /// Notes that the queue rose above the high watermark; the handler is told when the turn ends.
    func rose(_ connection: Connection) -> WriteOutcome {
        if let cold = connection.cold, cold.stalledSince == nil, !cold.queue.isEmpty {
            cold.stalledSince = nowMilliseconds
            if connection.settings.writeStall > 0 { deadlines.watch(connection) }
        }
        let isFileWaiting = connection.cold.map { $0.queue.files > 0 } ?? false
        guard isFileWaiting || connection.queuedBytes > connection.settings.limits.highWatermark
        else { return outcome(connection) }
        if !connection.flags.contains(.aboveHigh) {
            connection.flags.insert(.aboveHigh)
            if !connection.flags.contains(.risenPending) {
                connection.flags.insert(.risenPending)
                risen.append(connection)
            }
        }
        return .aboveHighWatermark
    }

    /// Tells the handlers whose connections rose above their high watermark in this turn.
    func tellRisen() {
        while let connection = risen.popLast() {
            connection.flags.remove(.risenPending)
            guard connection.flags.contains(.aboveHigh), !connection.flags.contains(.highTold)
            else { continue }
            tellRise(connection)
        }
    }

    func tellRise(_ connection: Connection) {
        guard connection.state == .open else { return }
        connection.flags.insert(.highTold)
        connection.handler.roseAboveHighWatermark(connection)
    }

    // MARK: - Flushing

    /// Sends what every connection gathered, one send each, and empties the gather buffer.
    func flushDirty() {
        // Flushing calls no handler and lets go of no owner, so nothing is written meanwhile.
        // By index: an iterator may hold the array, which emptying would then copy.
        for index in 0..<dirty.count {
            dirty.entry(UInt32(index)).pointee.connection._withUnsafeGuaranteedRef { connection in
                flush(connection)
                connection.gathered = GatherBuffer.none
            }
        }
        dirty.removeAll()
        gather.reset()
        jobsSinceFlush = 0
    }

    /// Sends what `connection` gathered; what the kernel does not take moves to its queue.
    func flush(_ connection: Connection) {
        var piece = takeGathered(connection)
        while piece != GatherBuffer.none {
            guard connection.state != .closed, !isBlocked(connection) else {
                keepOrDrop(from: piece, skipping: 0, connection)
                break
            }
            var (count, offered, following) = (0, 0, piece)
            while following != GatherBuffer.none, count < segments.count {
                segments[count] = gather.segment(following)
                offered += segments[count].count
                count += 1
                following = gather.next(after: following)
            }
            counters.sends += 1
            switch driver.send(
                connection.socket, .init(rebasing: segments[..<count]), token: connection.token)
            {
            case .sent(let sent) where sent == offered:
                connection.noteSent()
                release(from: piece, to: following)
                piece = following
            case .sent(let sent):
                if sent > 0 { connection.noteSent() }
                keepOrDrop(from: piece, skipping: sent, connection)
                piece = GatherBuffer.none
                if connection.queuedBytes > connection.settings.limits.sendQueueBytesMax {
                    terminate(connection, .sendQueueOverflow)
                } else {
                    _ = rose(connection)
                }
            case .failed(let errno):
                terminate(connection, reason(ofBroken: errno))
                keepOrDrop(from: piece, skipping: 0, connection)
                piece = GatherBuffer.none
            }
        }
        finishWriting(connection)
    }

    /// Moves gathered pieces to the queue, without their first `skipping` bytes; a closed
    /// connection's are dropped.
    private func keepOrDrop(from first: UInt32, skipping: Int, _ connection: Connection) {
        var (piece, skip) = (first, skipping)
        while piece != GatherBuffer.none {
            let segment = gather.segment(piece)
            let reference = gather.reference(piece)
            let rest = Segment(
                base: segment.base + min(skip, segment.count), count: max(0, segment.count - skip))
            skip = max(0, skip - segment.count)
            if connection.state == .closed || rest.count == 0 {
                if let reference { released.add(reference.owner) }
            } else if let reference {
                connection.coldState.queue.append(rest, retained: reference.owner)
            } else {
                connection.coldState.queue.append(
                    copying: UnsafeRawBufferPointer(start: rest.base, count: rest.count))
            }
            piece = gather.next(after: piece)
        }
    }

    private func release(from first: UInt32, to end: UInt32) {
        var piece = first
        while piece != end {
            if let reference = gather.reference(piece) { released.add(reference.owner) }
            piece = gather.next(after: piece)
        }
    }

    /// Lets go of the owners of what was sent, or dropped: their `deinit` may write, as a handler may.
    func releaseOwners() {
        // What is written meanwhile may flush, and bring more: the next turn's.
        let count = released.count
        for index in 0..<count { released.take(index)?.release() }
        released.forget(count)
    }
}
