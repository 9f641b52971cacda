import NetPollTesting
import Testing
import WSFrame

@Suite("HTTPBodyDecoder, RFC 9112 §6, §7.1")
struct HTTPBodyDecoderTests {
    /// What a body says in pieces of this size: its bytes, whether it ended, and what is left.
    private func decoded(
        _ text: String, _ body: HTTPRequest.Body = .chunked, limits: HTTPLimits = HTTPLimits(),
        pieceBytes: Int = 1 << 20
    ) throws(HTTPParseError) -> (body: String, hasEnded: Bool, consumed: Int, trailers: [String]) {
        let bytes = Array(text.utf8)
        var decoder = HTTPBodyDecoder(body, limits: limits)
        var data: [UInt8] = []
        for start in stride(from: 0, to: max(1, bytes.count), by: pieceBytes) {
            let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
            var cursor = 0
            while let event = try decoder.next(in: piece.span.bytes, at: &cursor) {
                switch event {
                case .bytes(let range): data += piece[range]
                case .end:
                    let trailers = decoder.trailers.map { "\($0.name)=\($0.value)" }
                    return (
                        String(decoding: data, as: UTF8.self), true, start + cursor, trailers
                    )
                }
            }
            #expect(cursor == piece.count)
        }
        return (String(decoding: data, as: UTF8.self), false, bytes.count, [])
    }

    private func refusal(
        _ text: String, limits: HTTPLimits = HTTPLimits(), pieceBytes: Int = 1 << 20
    ) -> HTTPParseError.Reason? {
        do throws(HTTPParseError) {
            _ = try decoded(text, limits: limits, pieceBytes: pieceBytes)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test(arguments: [1, 2, 3, 100])
    func `a counted body ends after its bytes`(pieceBytes: Int) throws {
        let (body, hasEnded, consumed, _) = try decoded(
            "helloGET /", .bytes(5), pieceBytes: pieceBytes)
        #expect(body == "hello" && hasEnded && consumed == 5)
    }

    @Test func `no body ends before its first byte`() throws {
        let (body, hasEnded, consumed, _) = try decoded("GET /", .none)
        #expect(body.isEmpty && hasEnded && consumed == 0)
    }

    @Test(arguments: [
        "5\r\nhello\r\n0\r\n\r\n", "2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n",
        "5;a=b\r\nhello\r\n0;last\r\n\r\n", "5 ; a = \"b;\\\"c\"\r\nhello\r\n0\r\n\r\n",
        "00000000000005\r\nhello\r\n00\r\n\r\n",
    ])
    func `chunks are joined, whatever their extensions say`(text: String) throws {
        for pieceBytes in [1, 2, 3, 7, 100] {
            let (body, hasEnded, consumed, _) = try decoded(text + "GET /", pieceBytes: pieceBytes)
            #expect(body == "hello" && hasEnded && consumed == text.utf8.count)
        }
    }

    @Test(arguments: [1, 4, 100])
    func `trailers are read and kept apart (RFC 9110 §6.5.1)`(pieceBytes: Int) throws {
        let text = "A\r\n0123456789\r\n0\r\nX-Sum: 1 \r\nContent-Length: 9\r\n\r\n"
        let (body, hasEnded, consumed, trailers) = try decoded(text, pieceBytes: pieceBytes)
        #expect(body == "0123456789" && hasEnded && consumed == text.utf8.count)
        #expect(trailers == ["X-Sum=1", "Content-Length=9"])
    }

    @Test(arguments: [
        "\r\n", "x\r\n", "-5\r\nhello", "+5\r\nhello", "0x5\r\nhello", "5 5\r\nhello",
        "5\r\nhelloX", "5\r\nhello\n", "5\r\nhello\rX", "1000000000000000\r\n", " 5\r\nhello",
        "5_0\r\n", "FFFFFFFFFFFFFFFFF\r\n",
    ])
    func `what is no chunk is refused`(text: String) {
        for pieceBytes in [1, 100] {
            #expect(refusal(text, pieceBytes: pieceBytes) == .malformedChunk)
        }
    }

    @Test(
        arguments: [
            ("5;a\nhello\r\n0\r\n\r\n", 0x0A), ("5\r5", 0x0D), ("5;\0\r\n", 0),
            ("5;a\r;b\r\n", 0x0D),
            ("0\r\n\n", 0x0A), ("0\r\na: b\n\r\n", 0x0A),
        ] as [(String, UInt8)])
    func `a line ends in CRLF and holds no control byte`(text: String, byte: UInt8) {
        #expect(refusal(text) == .controlByte(byte))
        #expect(refusal(text, pieceBytes: 1) == .controlByte(byte))
    }

    @Test func `a bare LF does not end a size`() {
        #expect(refusal("5\nhello\r\n0\r\n\r\n") == .malformedChunk)
    }

    @Test(arguments: ["0\r\n: x\r\n\r\n", "0\r\na\r\n\r\n"])
    func `a trailer that is no field is refused`(text: String) {
        #expect(refusal(text) == .malformedHeader)
    }

    @Test func `a body is bounded, counted or chunked`() throws {
        let limits = HTTPLimits(bodyBytesMax: 5)
        #expect(try decoded("hello", .bytes(5), limits: limits).hasEnded)
        let counted = #expect(throws: HTTPParseError.self) {
            _ = try self.decoded("", .bytes(6), limits: limits)
        }
        #expect(counted?.reason == .oversizedBody(max: 5) && counted?.status == .contentTooLarge)
        #expect(try decoded("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", limits: limits).body == "abcde")
        #expect(
            refusal("2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n", limits: limits) == .oversizedBody(max: 5))
        #expect(refusal("6\r\n", limits: limits) == .oversizedBody(max: 5))
    }

    @Test func `a chunk's line is bounded`() {
        let limits = HTTPLimits(chunkLineBytesMax: 8)
        #expect(refusal("1;234567\r\nx\r\n0\r\n\r\n", limits: limits) == nil)
        for pieceBytes in [1, 100] {
            #expect(
                refusal("1;2345678\r\n", limits: limits, pieceBytes: pieceBytes)
                    == .oversizedChunkLine(max: 8))
        }
    }

    @Test func `extensions of all chunks together are bounded`() {
        let limits = HTTPLimits(chunkExtensionsBytesMax: 6)
        let chunk = "1;a\r\nx\r\n"
        #expect(refusal(chunk + chunk + "1;a\r\nx\r\n0\r\n\r\n", limits: limits) == nil)
        #expect(
            refusal(chunk + chunk + chunk + "0;\r\n\r\n", limits: limits)
                == .oversizedChunkExtensions(max: 6))
    }

    @Test func `trailers have the bounds of a head`() {
        #expect(
            refusal("0\r\na: b\r\nc: d\r\n\r\n", limits: HTTPLimits(headersMax: 1))
                == .excessiveHeaders(max: 1))
        let long = "0\r\na: \(String(repeating: "b", count: 50))\r\n\r\n"
        #expect(
            refusal(long, limits: HTTPLimits(headerLineBytesMax: 40))
                == .oversizedHeaderLine(max: 40))
        #expect(refusal(long, limits: HTTPLimits(headBytesMax: 40)) == .oversizedHead(max: 40))
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `damaged bodies end the same however they are cut`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bytes = Array("5;a=b\r\nhello\r\n1 ;\"x\"\r\n!\r\n0\r\nX: y\r\n\r\nrest".utf8)
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            let index = Int.random(in: bytes.indices, using: &generator)
            bytes[index] = UInt8.random(in: 0...127, using: &generator)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        func outcome(_ pieceBytes: Int) -> String {
            do throws(HTTPParseError) {
                return "\(try decoded(text, pieceBytes: pieceBytes))"
            } catch {
                return "\(error)"
            }
        }
        for pieceBytes in [1, 2, 5] {
            #expect(outcome(pieceBytes) == outcome(1_000), "seed \(seed)")
        }
    }
}
