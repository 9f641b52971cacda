import Foundation
import NetPoll
import Testing
import WSFrame
import WSTransport

@Suite("StaticFile and StaticFiles")
struct StaticFileTests {
    private static let page = StaticFile(
        contentType: "text/html", body: Array("<p>".utf8),
        headers: [HTTPHeader("Cache-Control", "no-cache")])

    private func response(_ head: String, of files: StaticFiles) throws -> HTTPResponse? {
        var parser = HTTPRequestParser()
        let bytes = Array((head + "\r\nHost: h\r\n\r\n").utf8)
        guard case .request(let request, _) = try parser.parse(bytes.span.bytes) else { return nil }
        return files.response(to: request)
    }

    private func status(_ condition: String) throws -> UInt16? {
        let head = "GET /page HTTP/1.1\r\nIf-None-Match: \(condition)"
        return try response(head, of: StaticFiles(["/page": Self.page]))?.status.rawValue
    }

    @Test func `a file has its type, its tag and its headers`() throws {
        let files = StaticFiles(["/page": Self.page])
        let found = try #require(try response("GET /page?x HTTP/1.1", of: files))
        #expect(found.status == .ok && found.body == Array("<p>".utf8))
        let lines = found.headers.map { "\($0.name): \($0.value)" }
        // The first 128 bits of the SHA-1 of "<p>".
        #expect(
            lines == [
                "Content-Type: text/html", "Cache-Control: no-cache",
                "ETag: \(Self.page.entityTag)",
            ])
        #expect(Self.page.entityTag.utf8.count == 34 && Self.page.entityTag.first == "\"")
        let other = StaticFile(contentType: "text/html", body: Array("<b>".utf8))
        #expect(other.entityTag != Self.page.entityTag)
    }

    @Test func `who has the file is told so, with its tag and without its bytes`() throws {
        let head = "GET /page HTTP/1.1\r\nIf-None-Match: \(Self.page.entityTag)"
        let found = try #require(try response(head, of: StaticFiles(["/page": Self.page])))
        #expect(found.status == .notModified && found.body.isEmpty)
        let lines = found.headers.map { "\($0.name): \($0.value)" }
        #expect(lines == ["Cache-Control: no-cache", "ETag: \(Self.page.entityTag)"])
    }

    @Test func `entity tags are compared as RFC 9110 §13.1.2 says`() throws {
        let tag = Self.page.entityTag
        for have in [
            tag, "W/\(tag)", "*", "\"a\", \(tag)", "\"a,b\",W/\(tag) , \"c\"",
            "\"a\u{600}\", \(tag)", "\u{600},\(tag)",
        ] {
            #expect(try status(have) == 304, "\(have)")
        }
        for other in ["\"a\"", tag.replacing("\"", with: ""), "W/\"a\"", "\(tag)x", ""] {
            #expect(try status(other) == 200, "\(other)")
        }
    }

    @Test func `only GET and HEAD are answered`() throws {
        let files = StaticFiles(["/page": Self.page])
        #expect(try response("POST /page HTTP/1.1", of: files)?.status == .methodNotAllowed)
        #expect(try response("HEAD /page HTTP/1.1", of: files)?.status == .ok)
        #expect(try response("GET /none HTTP/1.1", of: files) == nil)
    }

    @Test func `a directory is read once, and nothing beside it`() throws {
        let manager = FileManager.default
        let outside = manager.temporaryDirectory.appending(path: "static-\(UUID().uuidString)")
        defer { try? manager.removeItem(at: outside) }
        let root = outside.appending(path: "root")
        try manager.createDirectory(
            at: root.appending(path: "sub/deep"), withIntermediateDirectories: true)
        for (path, text) in [
            ("secret.txt", "secret"), ("root/index.html", "index"), ("root/a b.js", "script"),
            ("root/.hidden", "hidden"), ("root/sub/index.html", "sub"), ("root/sub/deep/x", "x"),
        ] {
            try Data(text.utf8).write(to: outside.appending(path: path))
        }
        try manager.createSymbolicLink(
            at: root.appending(path: "link.txt"),
            withDestinationURL: outside.appending(path: "secret.txt"))
        let files = try StaticFiles(directory: root.path())
        func body(_ path: String) throws -> String? {
            let response = try response("GET \(path) HTTP/1.1", of: files)
            return response.map { String(decoding: $0.body, as: UTF8.self) }
        }
        #expect(try body("/") == "index" && body("/index.html") == "index")
        #expect(try body("/sub/") == "sub" && body("/sub/deep/x") == "x")
        #expect(try body("/a%20b.js") == "script")
        let script = try response("GET /a%20b.js HTTP/1.1", of: files)
        #expect(script?.headers.first?.value == "text/javascript; charset=utf-8")
        for path in [
            "/../secret.txt", "/%2e%2e/secret.txt", "/sub/../../secret.txt", "/..%2fsecret.txt",
            "/.hidden", "/link.txt", "/sub", "//index.html", "/./index.html", "/index.html%00",
        ] {
            #expect(try body(path) == nil, "\(path)")
        }
        // What is changed later is not seen.
        try Data("new".utf8).write(to: root.appending(path: "index.html"))
        #expect(try body("/") == "index")
    }

    @Test func `a directory beyond its bounds, or none, is an error`() throws {
        let manager = FileManager.default
        let root = manager.temporaryDirectory.appending(path: "static-\(UUID().uuidString)")
        defer { try? manager.removeItem(at: root) }
        #expect(throws: SystemError.self) { try StaticFiles(directory: root.path()) }
        try manager.createDirectory(at: root, withIntermediateDirectories: true)
        for name in ["a", "b"] { try Data("12345".utf8).write(to: root.appending(path: name)) }
        _ = try StaticFiles(directory: root.path(), filesMax: 2, bytesMax: 10)
        #expect(throws: SystemError.self) { try StaticFiles(directory: root.path(), filesMax: 1) }
        #expect(throws: SystemError.self) { try StaticFiles(directory: root.path(), bytesMax: 9) }
    }
}
