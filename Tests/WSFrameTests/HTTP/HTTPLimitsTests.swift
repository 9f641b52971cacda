import Testing
import WSFrame

@Suite("HTTPLimits")
struct HTTPLimitsTests {
    private func refusal(of head: String, limits: HTTPLimits, pieceBytes: Int) -> HTTPParseError? {
        var parser = HTTPRequestParser(limits: limits)
        do throws(HTTPParseError) {
            _ = try feed(Array(head.utf8), to: &parser, pieceBytes: pieceBytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [1, 7, 100_000])
    func `a request line longer than its limit gets 414`(pieceBytes: Int) throws {
        let limits = HTTPLimits(requestLineBytesMax: 100)
        let most = "GET /" + String(repeating: "a", count: 86) + " HTTP/1.1"
        #expect(
            refusal(of: most + "\r\nHost: h\r\n\r\n", limits: limits, pieceBytes: pieceBytes) == nil
        )
        let error = refusal(of: "x" + most, limits: limits, pieceBytes: pieceBytes)
        #expect(error?.reason == .oversizedRequestLine(max: 100))
        #expect(error?.status == .uriTooLong)
    }

    @Test(arguments: [1, 7, 100_000])
    func `a header line longer than its limit gets 431`(pieceBytes: Int) throws {
        let limits = HTTPLimits(headerLineBytesMax: 50)
        let head = "GET / HTTP/1.1\r\nHost: h\r\nX: "
        let most = head + String(repeating: "a", count: 47)
        #expect(refusal(of: most + "\r\n\r\n", limits: limits, pieceBytes: pieceBytes) == nil)
        let error = refusal(of: most + "a", limits: limits, pieceBytes: pieceBytes)
        #expect(error?.reason == .oversizedHeaderLine(max: 50))
        #expect(error?.status == .requestHeaderFieldsTooLarge)
    }

    @Test func `a header line of 64 KiB gets 431 by default`() {
        let head = "GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "a", count: 65536)
        let error = refusal(of: head, limits: HTTPLimits(), pieceBytes: 100_000)
        #expect(error?.status == .requestHeaderFieldsTooLarge)
    }

    @Test(arguments: [1, 100_000])
    func `more headers than the limit get 431`(pieceBytes: Int) {
        let limits = HTTPLimits(headersMax: 3)
        let most = "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n"
        #expect(refusal(of: most + "\r\n", limits: limits, pieceBytes: pieceBytes) == nil)
        let error = refusal(of: most + "C: 3\r\n", limits: limits, pieceBytes: pieceBytes)
        #expect(error?.reason == .excessiveHeaders(max: 3))
        #expect(error?.status == .requestHeaderFieldsTooLarge)
    }

    @Test(arguments: [1, 7, 100_000])
    func `a head longer than its limit gets 431`(pieceBytes: Int) {
        let head = "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n"
        let fits = HTTPLimits(headBytesMax: head.utf8.count)
        #expect(refusal(of: head, limits: fits, pieceBytes: pieceBytes) == nil)
        for missing in 1...8 {
            let limit = head.utf8.count - missing
            let limits = HTTPLimits(headBytesMax: limit)
            let error = refusal(of: head, limits: limits, pieceBytes: pieceBytes)
            #expect(error?.reason == .oversizedHead(max: limit))
            #expect(error?.status == .requestHeaderFieldsTooLarge)
        }
    }

    @Test func `the defaults are as documented`() {
        let limits = HTTPLimits()
        #expect(limits.requestLineBytesMax == 8192)
        #expect(limits.headerLineBytesMax == 8192)
        #expect(limits.headersMax == 100)
        #expect(limits.headBytesMax == 16384)
        #expect(limits.bodyBytesMax == 1_048_576)
        #expect(limits.chunkLineBytesMax == 256)
        #expect(limits.chunkExtensionsBytesMax == 4096)
    }

    @Test func `a limit of zero traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = HTTPLimits(headersMax: 0)
        }
    }
}

@Suite("Flaws known from other codecs: heads")
struct KnownHeadFlawTests {
    @Test(arguments: [1, 2, 3, 1000, 20_000])
    func `a head costs the same in any pieces (CVE-2023-43669)`(pieceBytes: Int) throws {
        let lines = (0..<90).map {
            "X-Header-\($0): " + String(repeating: "v", count: 100) + "\r\n"
        }
        let head = Array(("GET / HTTP/1.1\r\nHost: h\r\n" + lines.joined()).utf8)
        var parser = HTTPRequestParser()
        _ = try feed(head, to: &parser, pieceBytes: pieceBytes)
        // Each byte is looked at once for its line's end and once as part of its line; those of the first piece so
        // before, too, for a head that is there whole.
        #expect(parser.bytesExamined <= 2 * (head.count + min(pieceBytes, head.count)))
        #expect(parser.bytesExamined >= head.count)
    }

    @Test func `headers without end are refused (CVE-2026-28980, CVE-2024-37890)`() {
        var parser = HTTPRequestParser()
        let line = Array("A: b\r\n".utf8)
        let error = #expect(throws: HTTPParseError.self) {
            _ = try feed(Array("GET / HTTP/1.1\r\n".utf8), to: &parser, pieceBytes: 100)
            for _ in 0..<1000 { _ = try feed(line, to: &parser, pieceBytes: 100) }
        }
        #expect(error?.status == .requestHeaderFieldsTooLarge)
    }

    @Test func `bytes behind a refused head are never parsed (smuggling)`() async {
        await #expect(processExitsWith: .failure) {
            var parser = HTTPRequestParser()
            let bad = Array("GET / HTTP/1.1\r\n\r\n".utf8)
            let good = Array("GET /admin HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
            do {
                _ = try parser.parse(bad.span.bytes)
            } catch {
                _ = try? parser.parse(good.span.bytes)
            }
        }
    }
}
