/// The compressors and decompressors of one loop, shared by its connections.
///
/// A compressor that takes no context over serves every connection with the same window and level,
/// one message after the other. What is not used between two calls of
/// ``sweep(contextsMax:)`` is given back.
///
/// Not `Sendable`: used by one loop only.
public final class DeflatePool {
    /// The most compressors that differ in window or level; further ones replace the oldest.
    static let deflatersMax = 16
    /// The most of each kind that wait to be used again.
    static let sparesMax = 16
    /// The most memory of a buffer that is kept for the next message.
    static let bufferBytesMax = 256 << 10

    /// What all compressors and decompressors of the loop live in.
    let memory = ContextMemory()
    private var deflaters: [Deflater] = []
    private var inflaters: [Inflater] = []
    private var inflations: [Inflation] = []
    /// Connections that own a context. They are in it as long as they do, and leave before they
    /// end.
    private var holders: [Unmanaged<DeflateCodec>] = []
    /// How many of the holders the sweep at hand has not looked at; `nil` between sweeps.
    private var unswept: Int?
    /// How many of those that ended before the sweep at hand it has not given back.
    private var unsweptSpares = 0
    /// Counts the sweeps; what is used carries the present number.
    private(set) var round: UInt32 = 0
    /// What was compressed last, until it is written.
    private var output = GrowingBuffer()
    private var outputRound: UInt32 = 0

    public init() {}

    /// Whether there is nothing to give back.
    public var isEmpty: Bool {
        deflaters.isEmpty && inflaters.isEmpty && inflations.isEmpty && holders.isEmpty
            && output.capacity == 0 && memory.heldBytes == 0
    }

    /// How many connections hold a context of their own, as a compressor or as a window.
    public var contextsHeld: Int { holders.count }

    /// How many compressors and decompressors are held to be shared.
    public var sharedStreams: Int { deflaters.count + inflaters.count }

    /// Gives back what was not used since the last call: shared compressors and decompressors,
    /// buffers, the contexts of idle connections, and what connections that ended have left.
    ///
    /// A connection's own compressor is dropped; its next message begins with an empty window. What
    /// its peer may still refer to is kept, at most a window's bytes. The memory of compressors and
    /// decompressors goes back to the system.
    ///
    /// - Parameter contextsMax: The most contexts it looks at. Giving one back takes up to two system
    ///   calls, for up to 442 KB. Where there are more, the next call goes on with the others.
    /// - Returns: Whether the sweep is over; the next call begins another.
    ///
    /// Complexity: O(`contextsMax`).
    @discardableResult
    public func sweep(contextsMax: Int = .max) -> Bool {
        precondition(contextsMax >= 1, "a sweep of \(contextsMax) contexts")
        memory.isGivingBack = true
        defer { memory.isGivingBack = false }
        if unswept == nil {
            unsweptSpares = memory.spareCount
            deflaters.removeAll { $0.round != round }
            inflaters.removeAll { $0.round != round }
            inflations.removeAll { $0.round != round }
            if outputRound != round { output = GrowingBuffer() }
        }
        let spares = min(unsweptSpares, contextsMax)
        memory.giveBackSpares(spares)
        unsweptSpares = min(unsweptSpares - spares, memory.spareCount)
        // Downwards: who leaves is replaced by the last, which was looked at before.
        var index = min(unswept ?? .max, holders.count)
        let end = max(0, index - min(contextsMax - spares, index))
        while index > end {
            index -= 1
            // unsafe: a holder takes itself out before it is gone.
            holders[index]._withUnsafeGuaranteedRef { $0.rest() }
        }
        unswept = end
        guard end == 0, unsweptSpares == 0 else { return false }
        unswept = nil
        round &+= 1
        return true
    }

    // MARK: - Compressing

    /// Compresses `message` without a context; the result is valid until the next call.
    func compressed(
        _ message: UnsafeRawBufferPointer, with key: DeflaterKey
    ) -> UnsafeRawBufferPointer {
        let deflater = deflater(key)
        deflater.reset()
        return compressed(message, by: deflater)
    }

    /// As ``compressed(_:with:)``, in the context of `deflater`.
    func compressed(
        _ message: UnsafeRawBufferPointer, by deflater: Deflater
    ) -> UnsafeRawBufferPointer {
        if output.capacity > Self.bufferBytesMax { output = GrowingBuffer() }
        outputRound = round
        deflater.round = round
        deflater.deflate(message, into: &output)
        return output.bytes
    }

    private func deflater(_ key: DeflaterKey) -> Deflater {
        // By index: an iterator allocates where the optimiser does not see through it.
        for index in 0..<deflaters.count where deflaters[index].key == key {
            return deflaters[index]
        }
        if deflaters.count == Self.deflatersMax { deflaters.removeFirst() }
        let made = Deflater(key, in: memory)
        deflaters.append(made)
        return made
    }

    // MARK: - Inflating

    /// A decompressor with an empty window, large enough for any peer.
    func takeInflater() -> Inflater {
        guard let spare = inflaters.popLast() else { return Inflater(windowBits: 15, in: memory) }
        return spare
    }

    func give(_ inflater: Inflater) {
        guard inflaters.count < Self.sparesMax else { return }
        inflater.reset()
        inflater.round = round
        inflaters.append(inflater)
    }

    func takeInflation() -> Inflation { inflations.popLast() ?? Inflation() }

    func give(_ inflation: Inflation) {
        guard inflations.count < Self.sparesMax else { return }
        inflation.end()
        if inflation.output.capacity > Self.bufferBytesMax { inflation.output = GrowingBuffer() }
        inflation.round = round
        inflations.append(inflation)
    }

    // MARK: - Contexts

    /// Takes a connection in that begins to own a context.
    func add(_ holder: DeflateCodec) {
        holder.holderIndex = UInt32(holders.count)
        holders.append(.passUnretained(holder))
    }

    /// Takes a connection out that owns none any more.
    func remove(_ holder: DeflateCodec) {
        let index = Int(holder.holderIndex)
        holder.holderIndex = .max
        let last = holders.removeLast()
        guard index < holders.count else { return }
        holders[index] = last
        // unsafe: a holder takes itself out before it is gone.
        last._withUnsafeGuaranteedRef { $0.holderIndex = UInt32(index) }
    }
}
