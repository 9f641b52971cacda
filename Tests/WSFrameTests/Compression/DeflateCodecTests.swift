import AllocationCounter
import NetPollTesting
import Testing
import WSFrame

@Suite("DeflateCodec and DeflatePool")
struct DeflateCodecTests {
    private static let json = Array(
        String(repeating: #"{"user":"ada","text":"hello","n":1}"#, count: 20).utf8)

    private func compress(with codec: DeflateCodec) {
        let result = codec.compressed(Self.json.span.bytes)
        #expect(result != nil)
    }

    private func noTakeover(_ bits: Int = 15) -> PerMessageDeflate {
        PerMessageDeflate(
            serverNoContextTakeover: true, clientNoContextTakeover: true, serverWindowBits: bits,
            clientWindowBits: bits)
    }

    @Test(arguments: [1, 256, 300])
    func `a message below thresholdBytes is sent as it is`(threshold: Int) {
        var configuration = CompressionConfiguration()
        configuration.thresholdBytes = threshold
        let codec = DeflateCodec(
            noTakeover(), role: .server, configuration: configuration, pool: DeflatePool())
        let zeros = [UInt8](repeating: 0, count: 300)
        let below = codec.compressed(zeros.span.bytes.extracting(first: threshold - 1))
        #expect(below == nil)
        let enough = codec.compressed(zeros.span.bytes.extracting(first: threshold))
        #expect((enough != nil) == (threshold > 10))
    }

    @Test func `what does not become smaller is sent as it is, unless a context must see it`() {
        var generator = SeededGenerator(seed: 1)
        let noise = (0..<1000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let shared = DeflatePair(agreed: noTakeover())
        #expect(!shared.payload(noise).isCompressed)
        let context = DeflatePair()
        for _ in 0..<3 {
            let frame = context.frame(noise)
            #expect(frame[0] == 0xC2)
            #expect(context.observer.receive(frame) == [.message(.binary, noise)])
        }
        // The second and third refer to the first.
        #expect(context.payload(noise).bytes.count < 100)
    }

    @Test(arguments: [Role.server, .client], 9...15)
    func `what fills a window and does not become smaller is sent as it is, and not referred to`(
        role: Role, bits: Int
    ) {
        var generator = SeededGenerator(seed: UInt64(bits))
        let agreed = PerMessageDeflate(serverWindowBits: bits, clientWindowBits: bits)
        let pair = DeflatePair(receiving: role, agreed: agreed)
        let text = Array(Self.json.prefix(400))
        for count in [1 << bits, 1 << bits + 1] {
            let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            for (message, isCompressed) in [(text, true), (noise, false), (text, true)] {
                let frame = pair.frame(message)
                #expect((frame[0] == 0xC2) == isCompressed)
                #expect(pair.observer.receive(frame) == [.message(.binary, message)])
            }
        }
    }

    @Test(arguments: [CompressionConfiguration.context, .shared])
    func `the longest message arrives where both ends have the same limits`(
        configuration: CompressionConfiguration
    ) {
        var generator = SeededGenerator(seed: 1)
        let limits = ProtocolLimits(framePayloadBytesMax: 50_000, messageBytesMax: 50_000)
        let noise = (0..<50_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let takesOver = configuration.ownContextTakeover
        let pair = DeflatePair(
            agreed: PerMessageDeflate(
                serverNoContextTakeover: !takesOver, clientNoContextTakeover: !takesOver,
                serverWindowBits: 12, clientWindowBits: 12),
            configuration: configuration, limits: limits)
        for _ in 0..<2 {
            let received = pair.observer.receive(pair.frame(noise))
            #expect(received == [.message(.binary, noise)], "\(received.count) events")
        }
    }

    @Test(arguments: [Role.server, .client], 8...15)
    func `no window is exceeded, and 8 bits are never compressed for (zlib's trap)`(
        role: Role, bits: Int
    ) {
        var generator = SeededGenerator(seed: UInt64(bits))
        let agreed = PerMessageDeflate(serverWindowBits: bits, clientWindowBits: bits)
        let pair = DeflatePair(receiving: role, agreed: agreed)
        // Repeats at every distance around the window's size: an inflater of that size fails where
        // one refers to a byte beyond it.
        for distance in [200, 250, 256, 257, 400, 506, 512, 513, 1 << bits, 1 << bits + 1] {
            let block = (0..<distance).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let message = block + block + block
            let frame = pair.frame(message)
            // What repeats further away than the window reaches does not become smaller.
            if bits == 8 || distance == 200 { #expect((frame[0] == 0xC2) == (bits > 8)) }
            #expect(pair.observer.receive(frame) == [.message(.binary, message)])
        }
    }

    @Test(arguments: 9...15, 1...9)
    func `compressing writes within its room (CVE-2026-29035)`(bits: Int, memoryLevel: Int) {
        var generator = SeededGenerator(seed: UInt64(bits * 10 + memoryLevel))
        var configuration = CompressionConfiguration.every
        configuration.memoryLevel = memoryLevel
        let agreed = PerMessageDeflate(serverWindowBits: bits, clientWindowBits: bits)
        let pair = DeflatePair(agreed: agreed, configuration: configuration)
        // What does not compress becomes longer, the more so the less memory there is.
        for count in [1, 2, 5, 125, 126, 600, 5_000, 66_000] {
            let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(pair.observer.receive(pair.frame(noise)) == [.message(.binary, noise)])
        }
    }

    @Test func `connections without a context share one compressor`() {
        let pool = DeflatePool()
        let codecs = (0..<100).map { _ in
            DeflateCodec(noTakeover(), role: .server, configuration: .shared, pool: pool)
        }
        for codec in codecs { compress(with: codec) }
        #expect(pool.sharedStreams == 1)
        #expect(pool.contextsHeld == 0)
        let other = DeflateCodec(noTakeover(9), role: .server, configuration: .shared, pool: pool)
        compress(with: other)
        #expect(pool.sharedStreams == 2)
    }

    @Test func `many different compressors are not kept`() {
        let pool = DeflatePool()
        for level in 1...9 {
            for memory in 1...9 {
                var configuration = CompressionConfiguration()
                configuration.level = level
                configuration.memoryLevel = memory
                let codec = DeflateCodec(
                    noTakeover(), role: .server, configuration: configuration, pool: pool)
                compress(with: codec)
            }
        }
        #expect(pool.sharedStreams == 16)
    }

    @Test func `what is not used is given back by the second sweep`() {
        let pair = DeflatePair(agreed: noTakeover())
        #expect(pair.pool.isEmpty)
        let message = Self.json
        #expect(pair.observer.receive(pair.frame(message)) == [.message(.binary, message)])
        #expect(pair.pool.sharedStreams == 2)
        pair.pool.sweep()
        #expect(pair.pool.sharedStreams == 2)
        pair.pool.sweep()
        #expect(pair.pool.isEmpty)
        #expect(pair.observer.receive(pair.frame(message)) == [.message(.binary, message)])
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `contexts given back do not change what is received`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let pair = DeflatePair()
        for index in 0..<30 {
            if Int.random(in: 0..<4, using: &generator) == 0 { pair.pool.sweep() }
            let message = Array("\(index) ".utf8) + Self.json
            let frames = pair.frames(message, .text, cuts: [5])
            pair.observer.receive(frames[0])
            // Also in the middle of a message.
            if Bool.random(using: &generator) { pair.pool.sweep() }
            #expect(pair.observer.receive(frames[1]) == [.message(.text, message)], "seed \(seed)")
        }
        #expect(pair.pool.contextsHeld == 2)
        for _ in 0..<2 { pair.pool.sweep() }
        #expect(pair.pool.contextsHeld == 0)
    }

    @Test func `a sweep may take several steps, while connections come and go`() {
        var configuration = CompressionConfiguration.every
        configuration.memoryLevel = 1
        let agreed = PerMessageDeflate(serverWindowBits: 9)
        let pool = DeflatePool()
        func used() -> DeflateCodec {
            let codec = DeflateCodec(
                agreed, role: .server, configuration: configuration, pool: pool)
            compress(with: codec)
            return codec
        }
        var codecs = (0..<100).map { _ in used() }
        #expect(pool.sweep(contextsMax: 100))
        // Two of a hundred are used again, one leaves, and one comes.
        compress(with: codecs[0])
        #expect(!pool.sweep(contextsMax: 40))
        #expect(pool.contextsHeld == 60)
        compress(with: codecs[10])
        codecs.remove(at: 20)
        codecs.append(used())
        #expect(pool.contextsHeld == 60)
        #expect(!pool.sweep(contextsMax: 40))
        #expect(pool.sweep(contextsMax: 40))
        #expect(pool.contextsHeld == 3)
        #expect(pool.sweep())
        #expect(pool.contextsHeld == 0)
    }

    @Test func `a connection that ends leaves the pool`() {
        let pool = DeflatePool()
        var codecs = (0..<10).map { _ in
            DeflateCodec(PerMessageDeflate(), role: .server, configuration: .every, pool: pool)
        }
        for codec in codecs { compress(with: codec) }
        #expect(pool.contextsHeld == 10)
        codecs.remove(at: 3)
        codecs.remove(at: 0)
        #expect(pool.contextsHeld == 8)
        pool.sweep()
        pool.sweep()
        #expect(pool.contextsHeld == 0)
        codecs = []
        #expect(pool.isEmpty)
    }

    @Test(.enabled(if: allocation_counter_is_active()), arguments: [true, false])
    func `compressing and inflating a message allocates nothing`(takesOver: Bool) {
        let pair = DeflatePair(agreed: takesOver ? PerMessageDeflate() : noTakeover())
        var core = ServerProtocol(
            configuration: ProtocolConfiguration(), deflate: pair.receiver)
        let message = Self.json
        var frame = [UInt8](repeating: 0, count: 2_000)
        func round() -> Int {
            guard let bytes = pair.sender.compressed(message.span.bytes) else { return 0 }
            let count = frame.withUnsafeMutableBytes { target in
                FrameEncoder.encode(
                    bytes.bytes, opcode: .text, isCompressed: true,
                    maskingKey: MaskingKey(1, 2, 3, 4), into: target)
            }
            var received = 0
            var span = frame.mutableSpan
            var whole = span.mutableBytes
            var input = whole._mutatingExtracting(0..<count)
            var cursor = 0
            while let event = try? core.next(in: &input, at: &cursor) {
                if case .message(_, .kept) = event { received = core.keptPayload.count }
            }
            return received
        }
        for _ in 0..<3 { #expect(round() == message.count) }
        let before = allocation_counter_count()
        var total = 0
        for _ in 0..<100 { total += round() }
        let used = allocation_counter_count() - before
        #expect(total == 100 * message.count)
        #expect(used == 0)
    }
}

@Suite("PreparedMessage with compression")
struct PreparedCompressionTests {
    private static let text = String(repeating: "the same words again ", count: 40)

    private func codec(
        _ agreed: PerMessageDeflate, _ pool: DeflatePool, role: Role = .server
    ) -> DeflateCodec {
        DeflateCodec(agreed, role: role, configuration: .every, pool: pool)
    }

    @Test func `it is compressed once for each set of parameters`() throws {
        let message = PreparedMessage(text: Self.text)
        let pool = DeflatePool()
        let wide = PerMessageDeflate(serverNoContextTakeover: true)
        let narrow = PerMessageDeflate(serverWindowBits: 9)
        let first = try #require(codec(wide, pool).compressed(message))
        let second = try #require(codec(wide, DeflatePool()).compressed(message))
        #expect(first === second)
        let third = try #require(codec(narrow, pool).compressed(message))
        #expect(third !== first)
        #expect(first.bytes.first == 0xC1)
        #expect(first.bytes.count < message.bytes.count)
        let observer = Observer(role: .client, deflate: codec(wide, pool, role: .client))
        #expect(observer.receive(Array(first.bytes)) == [.text(Self.text)])
    }

    @Test func `all its compressed forms are freed with it`() throws {
        struct Form {
            weak var object: PreparedMessage.Compressed?
        }
        var message: PreparedMessage? = PreparedMessage(text: Self.text)
        var forms: [Form] = []
        for bits in 9...13 {
            let codec = codec(PerMessageDeflate(serverWindowBits: bits), DeflatePool())
            let form = try #require(message.flatMap { codec.compressed($0) })
            forms.append(Form(object: form))
        }
        #expect(forms.count { $0.object != nil } == 5)
        message = nil
        #expect(forms.count { $0.object != nil } == 0)
    }

    @Test func `it may stand between messages of a context`() {
        let pair = DeflatePair(receiving: .client)
        let prepared = PreparedMessage(text: Self.text)
        for index in 0..<5 {
            let own = Array("\(index) \(Self.text)".utf8)
            #expect(pair.observer.receive(pair.frame(own)) == [.message(.binary, own)])
            let frame = pair.sender.compressed(prepared).map { Array($0.bytes) } ?? []
            #expect(pair.observer.receive(frame) == [.text(Self.text)])
        }
    }

    @Test func `it may be exempt, too short, or not worth it`() {
        let pool = DeflatePool()
        let codec = codec(PerMessageDeflate(), pool)
        #expect(codec.compressed(PreparedMessage(text: Self.text, compression: .never)) == nil)
        #expect(codec.compressed(PreparedMessage(text: "")) == nil)
        var generator = SeededGenerator(seed: 1)
        let noise = (0..<500).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let message = PreparedMessage(noise.span.bytes, kind: .binary)
        #expect(codec.compressed(message) == nil)
        #expect(codec.compressed(message) == nil)
        let narrow = self.codec(PerMessageDeflate(serverWindowBits: 8), pool)
        #expect(narrow.compressed(PreparedMessage(text: Self.text)) == nil)
    }

    @Test func `many threads may ask for it at once`() async {
        for _ in 0..<20 {
            let message = PreparedMessage(text: Self.text)
            let forms = await withTaskGroup(of: [UInt8].self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let agreed = PerMessageDeflate(serverWindowBits: 9 + index % 4)
                        let codec = DeflateCodec(
                            agreed, role: .server, configuration: .shared, pool: DeflatePool())
                        return codec.compressed(message).map { Array($0.bytes) } ?? []
                    }
                }
                return await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
            }
            #expect(!forms.contains([]))
        }
    }
}
