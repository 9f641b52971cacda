import Testing
import WSFrame

@Suite("ProtocolLimits")
struct ProtocolLimitsTests {
    private func fragments(_ count: Int, of payload: [UInt8] = [], to role: Role) -> [UInt8] {
        (0..<count).flatMap { index in
            PeerFrames(of: role).frame(
                index == 0 ? .binary : .continuation, payload, isFinal: index == count - 1)
        }
    }

    @Test(arguments: [125, 200, 70_000], Role.both)
    func `a frame longer than framePayloadBytesMax fails with 1009`(
        limit: Int, role: Role
    ) throws {
        let limits = ProtocolLimits(framePayloadBytesMax: limit)
        let most = [UInt8](repeating: 1, count: limit)
        let frames = PeerFrames(of: role)
        let bytes = frames.frame(.binary, most)
        #expect(events(of: bytes, role: role, limits: limits) == [.message(.binary, most)])
        let error = try #require(
            violation(in: frames.frame(.binary, most + [1]), role: role, limits: limits))
        #expect(error.reason == .oversizedFrame(bytes: UInt64(limit + 1), max: limit))
        #expect(error.closeCode == .messageTooBig)
    }

    @Test(arguments: [1, 125, 300], Role.both)
    func `a message longer than messageBytesMax fails with 1009`(limit: Int, role: Role) throws {
        let limits = ProtocolLimits(messageBytesMax: limit)
        let most = [UInt8](repeating: 1, count: limit)
        let frames = PeerFrames(of: role)
        #expect(
            events(of: frames.frame(.binary, most), role: role, limits: limits)
                == [.message(.binary, most)])
        let error = try #require(
            violation(in: frames.frame(.binary, most + [1]), role: role, limits: limits))
        #expect(error.reason == .oversizedMessage(bytes: UInt64(limit + 1), max: limit))
        #expect(error.closeCode == .messageTooBig)
    }

    /// The longest that the way for whole frames takes, 64 KiB less one byte, and what is beyond it.
    @Test(arguments: [65_534, 65_535, 65_536], Role.both)
    func `the edge holds where the whole frame is in the input and where it is cut`(
        limit: Int, role: Role
    ) {
        let frames = PeerFrames(of: role)
        let most = [UInt8](repeating: 0x61, count: limit)
        for limits in [
            ProtocolLimits(framePayloadBytesMax: limit), ProtocolLimits(messageBytesMax: limit),
        ] {
            for pieceBytes in [1 << 20, 1_000] {
                let taken = events(
                    of: frames.frame(.text, most), pieceBytes: pieceBytes, role: role,
                    limits: limits)
                #expect(taken == [.message(.text, most)])
                let refused = events(
                    of: frames.frame(.text, most + [0x61]), pieceBytes: pieceBytes, role: role,
                    limits: limits)
                guard case .violation(let reason)? = refused.first else {
                    Issue.record("\(limit + 1) bytes were taken")
                    continue
                }
                #expect(ProtocolViolation(reason).closeCode == .messageTooBig)
            }
        }
    }

    @Test(arguments: Role.both)
    func `the frames of a message are summed`(role: Role) throws {
        let limits = ProtocolLimits(messageBytesMax: 30)
        let most = fragments(3, of: [UInt8](repeating: 1, count: 10), to: role)
        #expect(
            events(of: most, role: role, limits: limits) == [
                .message(.binary, [UInt8](repeating: 1, count: 30))
            ])
        let more = fragments(4, of: [UInt8](repeating: 1, count: 10), to: role)
        let error = try #require(violation(in: more, role: role, limits: limits))
        #expect(error.reason == .oversizedMessage(bytes: 40, max: 30))
    }

    @Test(arguments: [1, 2, 1024], Role.both)
    func `a message of more than fragmentsMax frames fails with 1008`(
        limit: Int, role: Role
    ) throws {
        let limits = ProtocolLimits(fragmentsMax: limit)
        let most = fragments(limit, to: role)
        #expect(events(of: most, role: role, limits: limits) == [.message(.binary, [])])
        let error = try #require(
            violation(in: fragments(limit + 1, to: role), role: role, limits: limits))
        #expect(error.reason == .excessiveFragments(max: limit))
        #expect(error.closeCode == .policyViolation)
    }

    @Test(arguments: Role.both)
    func `fragments are counted anew for each message`(role: Role) {
        let limits = ProtocolLimits(fragmentsMax: 3)
        let bytes = (0..<3).flatMap { _ in fragments(3, to: role) }
        #expect(events(of: bytes, role: role, limits: limits).count == 3)
    }

    @Test(arguments: Role.both)
    func `more than controlFramesPerInputMax in one input fail with 1008`(role: Role) throws {
        let limits = ProtocolLimits(controlFramesPerInputMax: 5)
        let message = PeerFrames(of: role).text("message that takes the short way")
        let ping = PeerFrames(of: role).frame(.ping)
        let five = message + (0..<5).flatMap { _ in ping }
        let observer = Observer(role: role, limits: limits)
        for _ in 0..<10 { #expect(observer.receive(five).count == 6) }
        #expect(observer.receive(five + ping).last == .violation(.excessiveControlFrames(max: 5)))
        #expect(ProtocolViolation(.excessiveControlFrames(max: 5)).closeCode == .policyViolation)
    }

    @Test func `more than controlFramesPerSecondMax in one second fail with 1008`() throws {
        let limits = ProtocolLimits(controlFramesPerSecondMax: 5)
        let configuration = ProtocolConfiguration(limits: limits)
        var server = ServerProtocol(configuration: configuration)
        var client = ClientProtocol(configuration: configuration)
        for second in 0..<3 {
            for frame in 0..<5 {
                let now = Duration.seconds(second) + .milliseconds(frame * 199)
                try server.controlFrameTaken(at: now)
                try client.controlFrameTaken(at: now)
            }
        }
        let violation = ProtocolViolation(.excessiveControlFrameRate(max: 5))
        #expect(violation.closeCode == .policyViolation)
        do throws(ProtocolViolation) {
            try server.controlFrameTaken(at: .milliseconds(2_999))
            Issue.record("the sixth was taken")
        } catch {
            #expect(error == violation)
        }
        let request = server.closeRequested()
        #expect(request == .send)
        do throws(ProtocolViolation) {
            try client.controlFrameTaken(at: .milliseconds(2_999))
            Issue.record("the sixth was taken")
        } catch {
            #expect(error == violation)
        }
    }

    @Test func `the defaults are as documented`() {
        let limits = ProtocolLimits()
        #expect(limits.framePayloadBytesMax == 1_048_576)
        #expect(limits.messageBytesMax == 1_048_576)
        #expect(limits.fragmentsMax == 1024)
        #expect(limits.controlFramesPerInputMax == 1024)
        #expect(limits.controlFramesPerSecondMax == 2048)
        #expect(limits.bookkeepingBytesMax == 262_144)
        #expect(limits.inflationRatioMax == 1032)
        #expect(limits.inflatedBytesPerTurnMax == 524_288)
    }

    @Test func `a limit below a control frame traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = ProtocolLimits(framePayloadBytesMax: 124)
        }
    }

    @Test func `a limit that was set out of its range traps where it is used`() async {
        await #expect(processExitsWith: .failure) {
            var limits = ProtocolLimits()
            limits.framePayloadBytesMax = -1
            _ = ProtocolConfiguration(limits: limits)
        }
        await #expect(processExitsWith: .failure) {
            var limits = ProtocolLimits()
            limits.inflatedBytesPerTurnMax = 0
            _ = ProtocolConfiguration(limits: limits)
        }
    }

    @Test func `a turn in which nothing may be inflated traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = ProtocolLimits(inflatedBytesPerTurnMax: 0)
        }
    }

    @Test(
        arguments: [
            (.oversizedFrame(bytes: 70000, max: 65536), "frame of 70000 bytes exceeds 65536"),
            (.oversizedMessage(bytes: 9, max: 8), "message of 9 bytes exceeds 8"),
            (.excessiveFragments(max: 3), "message of more than 3 frames"),
            (.excessiveControlFrameRate(max: 4), "more than 4 control frames in one second"),
            (.excessiveInflation(max: 7), "message inflates to more than 7 times its bytes"),
            (.excessiveBookkeeping(max: 60), "message with more than 60 bytes beside it"),
            (.invalidCompression, "compressed message is not DEFLATE data"),
        ] as [(ProtocolViolation.Reason, String)])
    func `a violation names the value and the limit`(
        reason: ProtocolViolation.Reason, text: String
    ) {
        #expect(ProtocolViolation(reason).description == text)
    }
}
