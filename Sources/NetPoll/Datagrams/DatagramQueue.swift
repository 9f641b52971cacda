/// Datagrams that wait to be sent: their bytes one after another, in one run of memory.
struct DatagramQueue: ~Copyable {
    private struct Entry {
        let offset: Int
        let count: Int
        let destination: SocketAddress?
    }

    /// The most datagrams that are offered to the kernel at once.
    static var batchMax: Int { 64 }

    private var arena: [UInt8] = []
    private var entries: [Entry] = []
    private var first = 0
    private var batch: [OutgoingDatagram] = []

    /// Bytes that wait.
    private(set) var bytes = 0

    var count: Int { entries.count - first }

    mutating func append(_ source: RawSpan, _ destination: SocketAddress?) {
        entries.append(
            Entry(offset: arena.count, count: source.byteCount, destination: destination))
        // The pointer is used within the call only.
        source.withUnsafeBytes { arena.append(contentsOf: $0) }
        bytes += source.byteCount
    }

    /// Lends the first datagrams to `body`.
    mutating func withBatch<Result>(
        _ body: (UnsafeBufferPointer<OutgoingDatagram>) -> Result
    ) -> Result {
        batch.removeAll(keepingCapacity: true)
        let end = min(entries.count, first + Self.batchMax)
        // The arena does not change before `body` returns.
        return arena.withUnsafeBytes { memory in
            for entry in entries[first..<end] {
                let run = UnsafeRawBufferPointer(
                    rebasing: memory[entry.offset..<entry.offset + entry.count])
                batch.append(OutgoingDatagram(bytes: run, destination: entry.destination))
            }
            return batch.withUnsafeBufferPointer(body)
        }
    }

    mutating func removeFirst(_ sent: Int) {
        for entry in entries[first..<first + sent] { bytes -= entry.count }
        first += sent
        if first == entries.count {
            entries.removeAll(keepingCapacity: true)
            arena.removeAll(keepingCapacity: arena.capacity <= 256 << 10)
            first = 0
        } else if first > 256, first * 2 > entries.count {
            // Now and then, so that a queue that never empties stays bounded.
            let start = entries[first].offset
            arena.removeFirst(start)
            entries = entries[first...].map {
                Entry(offset: $0.offset - start, count: $0.count, destination: $0.destination)
            }
            first = 0
        }
    }
}
