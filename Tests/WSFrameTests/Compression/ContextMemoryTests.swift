import NetPollTesting
import Testing

@testable import WSFrame

@Suite("Memory of compression contexts")
struct ContextMemoryTests {
    private static let page = 1 << 16

    private static let message = Array(String(repeating: "the same again ", count: 30).utf8)

    @Test func `a context at rest leaves no memory with the process`() {
        let pair = DeflatePair()
        let memory = pair.pool.memory
        #expect(memory.mappedBytes == 0)
        #expect(pair.observer.receive(pair.frame(Self.message)).count == 1)
        // Both sides' contexts: 268 and 40 KB.
        #expect(memory.heldBytes >= 308_000)
        pair.pool.sweep()
        #expect(memory.heldBytes >= 308_000)
        pair.pool.sweep()
        #expect(memory.heldBytes == 0)
        #expect(memory.mappedBytes == 0)
        #expect(pair.observer.receive(pair.frame(Self.message)).count == 1)
    }

    @Test func `what a connection leaves is for the next, and goes with the sweep`() {
        let pool = DeflatePool()
        func connection() {
            let codec = DeflateCodec(
                PerMessageDeflate(), role: .server, configuration: .every, pool: pool)
            #expect(codec.compressed(Self.message.span.bytes) != nil)
        }
        connection()
        let held = pool.memory.heldBytes
        #expect(pool.memory.spareCount == 1)
        for _ in 0..<100 { connection() }
        #expect(pool.memory.heldBytes == held)
        #expect(!pool.isEmpty)
        pool.sweep()
        #expect(pool.memory.spareCount == 0)
        pool.sweep()
        #expect(pool.memory.mappedBytes == 0)
        #expect(pool.isEmpty)
    }

    @Test func `a sweep gives back a few of very many at a time`() {
        let pool = DeflatePool()
        var codecs = (0..<100).map { _ in
            DeflateCodec(PerMessageDeflate(), role: .server, configuration: .every, pool: pool)
        }
        for codec in codecs { _ = codec.compressed(Self.message.span.bytes) }
        pool.sweep()
        codecs.removeLast(50)
        #expect(pool.memory.spareCount == 50 && pool.contextsHeld == 50)
        var steps: [Int] = []
        var isOver = false
        while !isOver {
            let before = pool.memory.spareCount + pool.contextsHeld
            isOver = pool.sweep(contextsMax: 30)
            steps.append(before - pool.memory.spareCount - pool.contextsHeld)
        }
        #expect(steps == [30, 30, 30, 10])
        codecs = []
        pool.sweep()
        #expect(pool.memory.mappedBytes == 0)
    }

    @Test func `the pages of a free slot hold nothing, beside others in use`() {
        let memory = ContextMemory()
        let (kept, given) = (memory.take(Self.page), memory.take(Self.page))
        for slot in [kept, given] { slot.memory.storeBytes(of: 7, as: UInt64.self) }
        memory.isGivingBack = true
        memory.give(given)
        memory.isGivingBack = false
        #expect(memory.heldBytes == Self.page)
        let again = memory.take(Self.page)
        #expect(again.memory == given.memory)
        // What the system took back comes as zeros, at once on Linux.
        #if os(Linux)
            #expect(again.memory.load(as: UInt64.self) == 0)
        #endif
        #expect(kept.memory.load(as: UInt64.self) == 7)
        // A spare keeps what it holds, for no system call was made.
        memory.give(kept)
        #expect(memory.take(Self.page).memory.load(as: UInt64.self) == 7)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `slots never overlap, and all are accounted for`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let memory = ContextMemory()
        let sizes = [Self.page, 2 * Self.page, 65 * Self.page]
        var taken: [(slot: ContextSlot, bytes: Int, mark: UInt64)] = []
        for mark in 0..<400 as Range<UInt64> {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5:
                let bytes = sizes[Int.random(in: 0..<3, using: &generator)]
                let slot = memory.take(bytes - Int.random(in: 0..<100, using: &generator))
                slot.memory.storeBytes(of: mark, as: UInt64.self)
                (slot.memory + bytes - 8).storeBytes(of: mark, as: UInt64.self)
                taken.append((slot, bytes, mark))
            case 5..<9 where !taken.isEmpty:
                let index = Int.random(in: 0..<taken.count, using: &generator)
                let (slot, bytes, mark) = taken.remove(at: index)
                #expect(slot.memory.load(as: UInt64.self) == mark, "seed \(seed)")
                #expect((slot.memory + bytes - 8).load(as: UInt64.self) == mark, "seed \(seed)")
                memory.isGivingBack = Bool.random(using: &generator)
                memory.give(slot)
                memory.isGivingBack = false
            default: memory.giveBackSpares(Int.random(in: 0..<4, using: &generator))
            }
            let bytes = taken.reduce(0) { $0 + $1.bytes }
            #expect(memory.heldBytes >= bytes && memory.mappedBytes >= memory.heldBytes)
            if memory.spareCount == 0 { #expect(memory.heldBytes == bytes, "seed \(seed)") }
        }
        for (slot, _, _) in taken { memory.give(slot) }
        memory.giveBackSpares(.max)
        #expect(memory.heldBytes == 0 && memory.mappedBytes == 0 && memory.spareCount == 0)
    }

    @Test(arguments: 9...15, 1...9)
    func `all that zlib asks for has its place`(bits: Int, memoryLevel: Int) {
        let memory = ContextMemory()
        let key = DeflaterKey(
            windowBits: UInt8(bits), level: UInt8(memoryLevel), memoryLevel: UInt8(memoryLevel))
        let deflater = Deflater(key, in: memory)
        var output = GrowingBuffer()
        Self.message.withUnsafeBytes { deflater.deflate($0, into: &output) }
        let inflater = Inflater(windowBits: bits, in: memory)
        var inflated = [UInt8](repeating: 0, count: Self.message.count)
        inflated.withUnsafeMutableBytes { target in
            guard let input = output.bytes.baseAddress, let base = target.baseAddress else {
                return
            }
            let outcome = inflater.inflate(
                input, count: output.count, into: base, room: target.count)
            #expect(outcome.produced == target.count)
        }
        #expect(inflated == Self.message)
        #expect(memory.strayRequests == 0)
        #expect(!inflater.window().isEmpty)
    }

    @Test func `what has no place comes from malloc and is freed`() throws {
        let memory = ContextMemory()
        do {
            let small = StreamMemory(1, of: memory)
            let opaque = UnsafeMutableRawPointer(small.stream)
            let fits = try #require(StreamMemory.allocate(opaque, 200))
            let beyond = try #require(StreamMemory.allocate(opaque, 1 << 20))
            #expect(memory.strayRequests == 1)
            fits.storeBytes(of: 1, as: UInt8.self)
            (beyond + (1 << 20) - 1).storeBytes(of: 1, as: UInt8.self)
            let next = try #require(StreamMemory.allocate(opaque, 1))
            #expect(next - fits >= 200 && memory.strayRequests == 1)
            for address in [fits, beyond, next] { StreamMemory.free(opaque, address) }
        }
        #expect(memory.spareCount == 1)
    }
}
