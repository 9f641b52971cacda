import Testing

@testable import RPC

@Suite("Extension frames, PROTOCOL.md")
struct ControlFrameTests {
    private static let settingsWithZlib: PeerSettings = {
        var settings = PeerSettings()
        settings.compressors = PeerSettings.zlib
        return settings
    }()

    @Test(
        arguments: [
            ("settings", .settings(PeerSettings())),
            ("settings-zlib", .settings(ControlFrameTests.settingsWithZlib)),
            ("cancel", .cancel(stream: 21, code: .cancelled)),
            ("ping", .ping(0x0102_0304_0506_0708)), ("pong", .pong(0x0102_0304_0506_0708)),
            ("window-stream", .window(stream: 13, credit: 131_072)),
            ("window-connection", .window(stream: 0, credit: 524_288)),
            ("goaway", .goAway(GoAway(lastAccepted: 41, code: .unavailable, text: "restarting"))),
            (
                "response-unimplemented",
                .refusal(stream: 3, RPCError(.unimplemented, "no such method"))
            ),
        ] as [(String, ControlFrame)])
    func `are written as the vectors say`(name: String, frame: ControlFrame) throws {
        #expect(frame.bytes == (try Vectors.frame(name)))
    }

    @Test func `settings are read back, and unknown items passed over`() throws {
        let settings = try Vectors.frame("settings").dropFirst(10)
        #expect(Array(settings).withUnsafeBytes { PeerSettings($0) } == PeerSettings())
        let unknown = try Vectors.frame("settings-unknown-item").dropFirst(10)
        var older = PeerSettings()
        // What it does not say it does not know.
        older.partialsMax = 0
        #expect(Array(unknown).withUnsafeBytes { PeerSettings($0) } == older)
        let zlib = try Vectors.frame("settings-zlib").dropFirst(10)
        #expect(Array(zlib).withUnsafeBytes { PeerSettings($0) } == Self.settingsWithZlib)
    }

    @Test(arguments: [[], [0], [0, 1, 0, 0, 0], [0, 2, 0, 0, 0, 1]] as [[UInt8]])
    func `settings that end early or name no version are refused`(bytes: [UInt8]) {
        #expect(bytes.withUnsafeBytes { PeerSettings($0) } == nil)
    }

    @Test func `a goaway is read back, and one that is too short is refused`() throws {
        let bytes = Array(try Vectors.frame("goaway").dropFirst(10))
        #expect(
            bytes.withUnsafeBytes { GoAway($0) }
                == GoAway(lastAccepted: 41, code: .unavailable, text: "restarting"))
        #expect(bytes[..<7].withUnsafeBytes { GoAway($0) } == nil)
    }
}
