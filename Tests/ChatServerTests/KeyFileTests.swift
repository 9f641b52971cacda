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
        folder = try Self.madeFolder()
    }

    private static func madeFolder() throws -> String {
        var template = Array("/tmp/longwire-key-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
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

    @Test func `all that start at once have the same key`() async throws {
        let path = path
        let keys = try await withThrowingTaskGroup(of: ResumeKey.self) { group in
            for _ in 0..<8 { group.addTask { try KeyFile.key(at: path) } }
            return try await group.reduce(into: [ResumeKey]()) { $0.append($1) }
        }
        let token = try #require(keys.first.map { tokens($0).token(for: state) })
        for key in keys {
            #expect(try tokens(key).state(of: token, at: Timestamp(milliseconds: 0)) == state)
        }
    }

    /// A disk that is full in the middle of the key, as a crash there is.
    @Test func `a key that was not written to its end is in nobody's way`() async {
        await #expect(processExitsWith: .success) {
            let folder = try KeyFileTests.madeFolder()
            let path = "\(folder)/chat.key"
            signal(SIGXFSZ, SIG_IGN)
            var before = rlimit()
            try #require(getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before) == 0)
            var short = before
            short.rlim_cur = 16
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &short) == 0)
            let made = Result { try KeyFile.key(at: path) }
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before) == 0)
            #expect(throws: SettingError.self) { try made.get() }
            #expect(rmdir(folder) == 0, "something is left")
            try #require(mkdir(folder, 0o700) == 0 || errno == EEXIST)
            #expect(throws: Never.self) { try KeyFile.key(at: path) }
            unlink(path)
            rmdir(folder)
        }
    }

    @Test func `a file that is cut short, or cannot be made, is told`() throws {
        _ = try KeyFile.key(at: path)
        #expect(truncate(path, 31) == 0)
        #expect(throws: SettingError.self) { try KeyFile.key(at: path) }
        #expect(throws: SettingError.self) { try KeyFile.key(at: "\(folder)/nowhere/chat.key") }
    }
}
