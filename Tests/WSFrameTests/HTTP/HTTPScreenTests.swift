import Synchronization
import Testing
import WSFrame

@Suite("HTTPScreen")
struct HTTPScreenTests {
    private static let head = Array(
        "GET /chat HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\nX: y\r\n\r\n".utf8)

    @Test(arguments: [1, 7, 1000])
    func `each line is shown once, in order, as soon as it is complete`(pieceBytes: Int) throws {
        let seen = Mutex<[HTTPHeadLine]>([])
        var parser = HTTPRequestParser(screen: { line in
            seen.withLock { $0.append(line) }
            return nil
        })
        let request = try feed(Self.head, to: &parser, pieceBytes: pieceBytes)
        #expect(request != nil)
        #expect(
            seen.withLock { $0 } == [
                .request(.get, target: "/chat"), .header(name: "Host", value: "a"),
                .header(name: "Cookie", value: "b=c"), .header(name: "X", value: "y"),
            ])
    }

    @Test func `a line can be refused with a chosen status before the rest has come`() {
        let count = Mutex(0)
        var parser = HTTPRequestParser(screen: { line in
            count.withLock { $0 += 1 }
            guard case .header("Cookie", _) = line else { return nil }
            return .unauthorized
        })
        let begun = Array(Self.head.prefix { $0 != UInt8(ascii: "X") })
        let error = #expect(throws: HTTPParseError.self) {
            try feed(begun, to: &parser, pieceBytes: 1000)
        }
        #expect(error?.reason == .refused(.unauthorized))
        #expect(error?.response.status == .unauthorized)
        #expect(count.withLock { $0 } == 3)
    }

    @Test func `the request line can be refused by itself`() {
        var parser = HTTPRequestParser(screen: { line in
            if case .request(_, "/chat") = line { HTTPStatus.notFound } else { nil }
        })
        let error = #expect(throws: HTTPParseError.self) {
            try feed(Array("GET /chat HTTP/1.1\r\n".utf8), to: &parser, pieceBytes: 1000)
        }
        #expect(error?.status == .notFound)
    }

    @Test func `the next request is screened, too`() throws {
        let count = Mutex(0)
        var parser = HTTPRequestParser(screen: { _ in
            count.withLock { $0 += 1 }
            return nil
        })
        for _ in 0..<2 { _ = try feed(Self.head, to: &parser, pieceBytes: 1000) }
        #expect(count.withLock { $0 } == 8)
    }

    @Test func `a status that refuses nothing traps`() async {
        await #expect(processExitsWith: .failure) {
            var parser = HTTPRequestParser(screen: { _ in .ok })
            _ = try parser.parse(Array("GET / HTTP/1.1\r\n".utf8).span.bytes)
        }
    }
}
