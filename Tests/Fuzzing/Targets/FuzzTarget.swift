import WSFrame

/// Something of WSFrame that reads bytes of a stranger.
///
/// Each takes any bytes at all and checks what must hold for all of them; the fuzzer looks for bytes
/// for which it does not, and those found once are replayed by an ordinary test.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case server
    case client
    case request
    case response
    case utf8

    /// What does not hold for `input`; `nil` where all does.
    public func finding(in input: [UInt8]) -> String? {
        switch self {
        case .server: FrameCheck.finding(in: input, role: .server)
        case .client: FrameCheck.finding(in: input, role: .client)
        case .request: RequestCheck.finding(in: input)
        case .response: ResponseCheck.finding(in: input)
        case .utf8: UTF8Check.finding(in: input)
        }
    }
}
