import RPC
import WSFrame

/// Something that reads bytes of a stranger.
///
/// Each takes any bytes at all and checks what must hold for all of them; the fuzzer looks for bytes
/// for which it does not, and those found once are replayed by an ordinary test.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case server
    case client
    case deflate
    case hubjson
    case hubmsgpack
    case messagepack
    case msgpackrpc
    case request
    case requests
    case response
    case rpcserver
    case rpcclient
    case rpcresponse
    case utf8

    /// What does not hold for `input`; `nil` where all does.
    public func finding(in input: [UInt8]) -> String? {
        switch self {
        case .server: FrameCheck.finding(in: input, role: .server)
        case .client: FrameCheck.finding(in: input, role: .client)
        case .deflate: deflateFinding(in: input)
        case .hubjson: EnvelopeCheck.finding(in: input, isJSON: true)
        case .hubmsgpack: EnvelopeCheck.finding(in: input, isJSON: false)
        case .messagepack: MessagePackCheck.finding(in: input)
        case .msgpackrpc: MessagePackRPCCheck.finding(in: input)
        case .request: RequestCheck.finding(in: input)
        case .requests: RequestsCheck.finding(in: input)
        case .response: ResponseCheck.finding(in: input)
        case .rpcserver: RPCCheck.finding(in: input, isServer: true)
        case .rpcclient: RPCCheck.finding(in: input, isServer: false)
        case .rpcresponse: ProbedResponse.finding(in: input)
        case .utf8: UTF8Check.finding(in: input)
        }
    }

    /// The first byte chooses, as it does for the limits, the role and what is agreed on.
    private func deflateFinding(in input: [UInt8]) -> String? {
        let choice = input.first ?? 0
        let bits = [15, 9, 8, 10, 11, 12, 13, 14][Int(choice >> 4 & 1 | choice >> 5 & 6)]
        let agreed = PerMessageDeflate(
            serverNoContextTakeover: choice & 8 != 0, clientNoContextTakeover: choice & 8 != 0,
            serverWindowBits: bits, clientWindowBits: bits)
        return FrameCheck.finding(
            in: input, role: choice & 32 != 0 ? .client : .server, agreed: agreed)
    }
}
