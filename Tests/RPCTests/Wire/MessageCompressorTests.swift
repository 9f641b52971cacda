import Testing

@testable import RPC

@Suite("MessageCompressor, RFC 1950")
struct MessageCompressorTests {
    private func compressed(_ message: [UInt8], level: Int = 1) throws -> [UInt8] {
        let compressor = MessageCompressor(level: level)
        return try #require(message.withUnsafeBytes { compressor.compress($0) })
    }

    @Test(arguments: [1, 6, 9], [100, 16_384, 1_000_000])
    func `a message comes back`(level: Int, bytes: Int) throws {
        let message = (0..<bytes).map { UInt8($0 % 50) }
        let compressed = try compressed(message, level: level)
        #expect(compressed.count < bytes)
        let compressor = MessageCompressor(level: 1)
        // It is used again for each message.
        for _ in 0..<3 { #expect(try compressor.inflate(compressed) == message) }
    }

    @Test func `the vector of another implementation is inflated`() throws {
        let frame = try Vectors.frame("request-compressed").dropFirst(10)
        let message = try MessageCompressor(level: 1).inflate(Array(frame))
        #expect(message.count == 110)
        #expect(message.suffix(100).allSatisfy { $0 == UInt8(ascii: "z") })
    }

    @Test func `what does not become shorter is left as it is`() {
        let compressor = MessageCompressor(level: 9)
        var state: UInt64 = 1
        let noise = (0..<1_000).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(truncatingIfNeeded: state >> 56)
        }
        for message in [[], [1], [1, 2, 3, 4, 5], noise] as [[UInt8]] {
            #expect(message.withUnsafeBytes { compressor.compress($0) } == nil)
        }
    }

    @Test(arguments: [-1, 1, 1_000_000])
    func `one that lies about its length is refused`(difference: Int) throws {
        let message = [UInt8](repeating: 5, count: 100_000)
        var compressed = try compressed(message)
        let length = UInt32(message.count + difference).bigEndian
        withUnsafeBytes(of: length) { compressed.replaceSubrange(0..<4, with: $0) }
        #expect(throws: MessageCompressor.InflateError.wrongLength) {
            try MessageCompressor(level: 1).inflate(compressed)
        }
    }

    @Test func `one that is cut, damaged or followed by more is refused`() throws {
        let compressed = try compressed([UInt8](repeating: 5, count: 10_000))
        let compressor = MessageCompressor(level: 1)
        for count in 0..<compressed.count {
            #expect(throws: MessageCompressor.InflateError.self) {
                try compressor.inflate(Array(compressed[..<count]))
            }
        }
        #expect(throws: MessageCompressor.InflateError.wrongLength) {
            try compressor.inflate(compressed + [0])
        }
        var damaged = compressed
        damaged[damaged.count - 1] ^= 1
        #expect(throws: MessageCompressor.InflateError.malformed) {
            try compressor.inflate(damaged)
        }
    }

    @Test func `nothing that was not compressed is inflated to more than it says`() throws {
        // 4 GiB - 1 is said; what there is of it is 10,000 bytes.
        var compressed = try compressed([UInt8](repeating: 5, count: 10_000))
        for index in 0..<4 { compressed[index] = 0xff }
        #expect(throws: MessageCompressor.InflateError.wrongLength) {
            try MessageCompressor(level: 1).inflate(compressed)
        }
    }
}
