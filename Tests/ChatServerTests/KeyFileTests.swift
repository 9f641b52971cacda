import Glibc
import Hub
import HubTokens
import Testing

@testable import ChatServer

@Suite("KeyFile")
final class KeyFileTests {
    private let folder: String
    private var path: String { "\(folder)/chat.key" }

    init() throws {
        var template = Array("/tmp/longwire-key-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        unlink(path)
        rmdir(folder)
    }

    private let state = ResumeState(user: "Ada", topics: [], expiry: Timestamp(milliseconds: 1))

    private func tokens(_ key: ResumeKey) -> SignedResumeTokens { SignedResumeTokens(keys: [key]) }

    @Test func `the key that was made is the key that is read`() throws {
        let made = tokens(try KeyFile.key(at: path))
        let read = tokens(try KeyFile.key(at: path))
        let now = Timestamp(milliseconds: 0)
        #expect(try read.state(of: made.token(for: state), at: now) == state)
        #expect(throws: ResumeTokenError.foreign) {
            try tokens(.random()).state(of: made.token(for: state), at: now)
        }
    }

    @Test func `nobody but its owner may read it`() throws {
        _ = try KeyFile.key(at: path)
        var status = stat()
        try #require(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func `a file that is cut short, or cannot be made, is told`() throws {
        _ = try KeyFile.key(at: path)
        #expect(truncate(path, 31) == 0)
        #expect(throws: SettingError.self) { try KeyFile.key(at: path) }
        #expect(throws: SettingError.self) { try KeyFile.key(at: "\(folder)/nowhere/chat.key") }
    }
}
