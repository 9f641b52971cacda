import AllocationCounter
import Glibc
import NetPollTesting
import Testing

@testable import WSFrame

/// What each setting may cost, as the article "How messages are compressed" states it.
@Suite("Bounds of compression contexts")
struct ContextBoundsTests {
    /// Text of 60 KB that touches all of a window and its tables.
    private static let long: [UInt8] = {
        var generator = SeededGenerator(seed: 1)
        return (0..<60_000).map { _ in UInt8.random(in: 0x61...0x71, using: &generator) }
    }()

    private static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

    private static func pages(_ bytes: Int) -> Int {
        (bytes + pageBytes - 1) / pageBytes * pageBytes
    }

    /// What contexts of a window and a memory level hold once they were used.
    private static func held(_ bits: Int, _ memoryLevel: Int) -> (send: Int, receive: Int) {
        let memory = ContextMemory()
        let key = DeflaterKey(
            windowBits: UInt8(bits), level: 6, memoryLevel: UInt8(memoryLevel))
        let deflater = Deflater(key, in: memory)
        var output = GrowingBuffer()
        long.withUnsafeBytes { deflater.deflate($0, into: &output) }
        let send = memory.heldBytes
        let inflater = Inflater(windowBits: bits, in: memory)
        var inflated = [UInt8](repeating: 0, count: long.count)
        inflated.withUnsafeMutableBytes { target in
            guard let input = output.bytes.baseAddress, let base = target.baseAddress else {
                return
            }
            _ = inflater.inflate(input, count: output.count, into: base, room: target.count)
        }
        #expect(inflated == long && memory.strayRequests == 0)
        return (send, memory.heldBytes - send)
    }

    @Test(arguments: 9...15, 1...9)
    func `a context takes its window, its tables and less than 8 KiB, in whole pages`(
        bits: Int, memoryLevel: Int
    ) {
        let (send, receive) = Self.held(bits, memoryLevel)
        #expect(send <= Self.pages(1 << (bits + 2) + 1 << (memoryLevel + 9) + 8 << 10))
        #expect(receive <= Self.pages(1 << bits + 8 << 10))
    }

    @Test(.enabled(if: pageBytes == 4_096))
    func `a context takes what the article's table says`() throws {
        let rows = try Self.article().split(separator: "\n").compactMap { line in
            line.firstMatch(of: /^\| (\d+), (\d)[^|]*\| (\d+) KB \| (\d+) KB \|$/)
        }
        #expect(rows.count == 6)
        for row in rows {
            let (bits, level) = (Int(row.1) ?? 0, Int(row.2) ?? 0)
            let (send, receive) = Self.held(bits, level)
            #expect((send + 500) / 1_000 == Int(row.3), "\(bits), \(level)")
            #expect((receive + 500) / 1_000 == Int(row.4), "\(bits), \(level)")
        }
    }

    /// The contexts that a connection owns for each setting, beside what the loop shares.
    private static let settings: [(own: Bool, peer: Bool, bits: Int, most: Int)] = [
        (false, false, 12, 0), (true, false, 12, 41_000), (false, true, 12, 12_300),
        (true, true, 12, 53_300), (true, true, 15, 311_300), (false, true, 15, 41_000),
    ]

    @Test(.enabled(if: pageBytes == 4_096), arguments: settings.indices)
    func `a connection owns the contexts that its setting takes over, and none when it is idle`(
        index: Int
    ) {
        let (own, peer, bits, most) = Self.settings[index]
        var configuration = bits == 12 ? CompressionConfiguration.context : .every
        configuration.ownContextTakeover = own
        configuration.peerContextTakeover = peer
        let agreed = PerMessageDeflate(
            serverNoContextTakeover: !own, clientNoContextTakeover: !peer,
            serverWindowBits: bits, clientWindowBits: bits)
        var senderConfiguration = configuration
        senderConfiguration.ownContextTakeover = peer
        senderConfiguration.peerContextTakeover = own
        let pool = DeflatePool()
        let sender = DeflateCodec(
            agreed, role: .client, configuration: senderConfiguration, pool: DeflatePool())
        guard let compressed = sender.compressed(Self.long.span.bytes) else {
            Issue.record("nothing was compressed")
            return
        }
        let frame = ClientFrames.frame(
            .binary, Array(compressed), isCompressed: true, key: ClientFrames.key)
        var connections: [(codec: DeflateCodec, observer: Observer)] = []
        func connect() {
            let codec = DeflateCodec(
                agreed, role: .server, configuration: configuration, pool: pool)
            let observer = Observer(
                role: .server, limits: ProtocolLimits(), delivery: .whole, deflate: codec)
            #expect(observer.receive(frame).count == 1)
            #expect(codec.compressed(Self.long.span.bytes) != nil)
            connections.append((codec, observer))
        }
        connect()
        let first = pool.memory.heldBytes
        for _ in 0..<20 { connect() }
        #expect((pool.memory.heldBytes - first) / 20 <= most)
        // Whatever is shared is of one connection's size.
        #expect(first <= 312_000)
        // The object that a connection has always; malloc may add to it.
        if allocation_counter_is_active() {
            let sizes = connections.map {
                allocation_counter_bytes(Unmanaged.passUnretained($0.codec).toOpaque())
            }
            #expect((sizes.min() ?? .max) <= 112)
        }
        pool.sweep()
        pool.sweep()
        #expect(pool.memory.heldBytes == 0 && pool.isEmpty)
    }

    private static func article() throws -> String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let path = "/\(root)/Sources/WSFrame/WSFrame.docc/HowMessagesAreCompressed.md"
        let descriptor = open(path, O_RDONLY)
        try #require(descriptor >= 0, "the article is not there")
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
