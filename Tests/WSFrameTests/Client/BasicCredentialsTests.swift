import Testing
import WSFrame

@Suite("Basic credentials, RFC 7617")
struct BasicCredentialsTests {
    private static let credentials = BasicCredentials(user: "Aladdin", password: "open sesame")

    @Test(
        arguments: [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true),
            ("bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true),
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZA==", false),
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", false),
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ===", false),
            ("BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==", false), ("Bearer QWxhZGRpbg==", false),
            ("Basic", false), ("Basic ", false), ("", false),
        ])
    func `a request carries them or does not`(value: String, areCarried: Bool) throws {
        let request = try parsed("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: \(value)\r\n\r\n")
        #expect(Self.credentials.areCarried(by: request) == areCarried)
    }

    @Test func `a request without any carries none`() throws {
        let request = try parsed("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(!Self.credentials.areCarried(by: request))
    }

    @Test func `what a client of ours sends is carried`() throws {
        var request = WebSocketRequest(host: "localhost")
        request.credentials = Self.credentials
        let nonce = [16 of UInt8](repeating: 7)
        let handshake = try WebSocketClientHandshake(request, nonce: nonce)
        let head = try parsed(String(decoding: handshake.requestBytes, as: UTF8.self))
        #expect(Self.credentials.areCarried(by: head))
    }

    /// Counts the bytes that are read of it.
    private struct Watched: Collection {
        final class Reads {
            var count = 0
        }

        let bytes: [UInt8]
        let reads = Reads()
        var startIndex: Int { 0 }
        var endIndex: Int { bytes.count }

        func index(after index: Int) -> Int { index + 1 }

        subscript(position: Int) -> UInt8 {
            reads.count += 1
            return bytes[position]
        }
    }

    @Test(arguments: 0...32)
    func `secrets are compared to the end, wherever they differ (CVE-2021-33880)`(place: Int) {
        let secret = [UInt8](0..<32)
        var guess = secret
        if place < 32 { guess[place] ^= 1 }
        let watched = Watched(bytes: guess)
        #expect(ConstantTime.areEqual(watched, secret) == (place == 32))
        #expect(watched.reads.count == 32)
    }
}

@Suite("ConstantTime")
struct ConstantTimeTests {
    @Test func `a secret is found among others, the first where there are two`() {
        let secrets = ["one", "two", "one", ""].map { Array($0.utf8) }
        #expect(ConstantTime.firstIndex(of: "one".utf8, in: secrets) == 0)
        #expect(ConstantTime.firstIndex(of: "two".utf8, in: secrets) == 1)
        #expect(ConstantTime.firstIndex(of: "".utf8, in: secrets) == 3)
        #expect(ConstantTime.firstIndex(of: "tw".utf8, in: secrets) == nil)
        #expect(ConstantTime.firstIndex(of: "two".utf8, in: []) == nil)
    }
}
