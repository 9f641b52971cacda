import Testing

@testable import WSFrame

@Suite("HTTPSyntax")
struct HTTPSyntaxTests {
    /// Texts of each length up to 24, with `byte` at each place among letters of both cases and hyphens.
    private func texts(with byte: UInt8) -> [[UInt8]] {
        (1...24).flatMap { count in
            (0..<count).map { place in
                var text = Array("Sec-WebSocket-Key-aZ-zA-".utf8.prefix(count))
                text[place] = byte
                return text
            }
        }
    }

    @Test func `a token ends at the first byte that may not stand in it`() {
        for byte in UInt8.min...UInt8.max {
            for text in texts(with: byte) {
                let end = text.withUnsafeBytes { HTTPSyntax.tokenEnd(in: $0, from: 0) }
                #expect(end == text.firstIndex { !HTTPSyntax.isTokenByte($0) } ?? text.count)
            }
        }
        let text = Array("a: b".utf8)
        #expect(text.withUnsafeBytes { HTTPSyntax.tokenEnd(in: $0, from: 2) } == 2)
        #expect(text.withUnsafeBytes { HTTPSyntax.tokenEnd(in: $0, from: 4) } == 4)
    }

    @Test func `the first colon of a range is found`() {
        for byte in [0x3A, 0x39, 0x3B, 0xBA, 0x00] as [UInt8] {
            // Behind a colon a borrow must not matter, and before one a byte that looks alike.
            for text in texts(with: 0x3A) + texts(with: byte).map({ [byte] + $0 + [0x3A, byte] }) {
                for lower in 0..<min(4, text.count) {
                    for upper in lower...text.count {
                        let found = text.withUnsafeBytes {
                            HTTPSyntax.firstColon(in: $0, lower..<upper)
                        }
                        #expect(found == text[lower..<upper].firstIndex(of: 0x3A) ?? upper)
                    }
                }
            }
        }
    }

    @Test(
        arguments: [
            ("host", .host), ("expect", .expect), ("upgrade", .upgrade),
            ("connection", .connection),
            ("content-length", .contentLength), ("transfer-encoding", .transferEncoding),
            ("sec-websocket-key", .webSocketKey), ("sec-websocket-accept", .webSocketAccept),
            ("sec-websocket-version", .webSocketVersion),
            ("sec-websocket-protocol", .webSocketProtocol),
            ("sec-websocket-extensions", .webSocketExtensions),
        ] as [(String, HTTPFieldName)])
    func `a name is known in any case, and no other for it`(text: String, name: HTTPFieldName) {
        for spelling in [text, text.uppercased()] {
            #expect(Array(spelling.utf8).withUnsafeBytes { HTTPFieldName($0) } == name)
        }
        for place in 0..<text.utf8.count {
            var bytes = Array(text.utf8)
            bytes[place] ^= 0x01
            #expect(bytes.withUnsafeBytes { HTTPFieldName($0) } == .other)
            #expect(bytes[..<place].withUnsafeBytes { HTTPFieldName($0) } == .other)
        }
    }

    @Test(arguments: names.indices)
    func `names match without regard to case, and equal with it`(index: Int) {
        let name = Self.names[index]
        let text = "\(name)"
        for byte in UInt8.min...UInt8.max {
            for place in 0..<text.utf8.count {
                for isUpper in [false, true] {
                    var bytes = Array((isUpper ? text.uppercased() : text).utf8)
                    bytes[place] = byte
                    let expected = bytes.map(HTTPSyntax.lowercased) == Array(text.utf8)
                    #expect(bytes.withUnsafeBytes { HTTPSyntax.matches($0, name) } == expected)
                    let isSame = bytes == Array(text.utf8)
                    #expect(bytes.withUnsafeBytes { HTTPSyntax.equals($0, name) } == isSame)
                }
            }
        }
        for bytes in [Array(text.utf8.dropLast()), Array(text.utf8) + [0x2D]] {
            #expect(!bytes.withUnsafeBytes { HTTPSyntax.matches($0, name) })
            #expect(!bytes.withUnsafeBytes { HTTPSyntax.equals($0, name) })
        }
    }

    private static let names: [StaticString] = [
        "a", "host", "upgrade", "websocket", "connection", "sec-websocket-key",
        "sec-websocket-extensions",
    ]
}
