public import HubHTTP
public import RPC

// Messages of the API are the same JSON by RPC as by HTTP.
extension RPCMessage where Self: APIMessage {
    /// Decodes the message; throws ``/HubHTTP/CommandFailure``.
    public init(decoding payload: RawSpan) throws {
        try self.init(json: payload.withUnsafeBytes { Array($0) })
    }

    /// Encodes the message; throws ``/HubHTTP/CommandFailure``.
    public func encode(to payload: inout PayloadWriter) throws {
        payload.append(try json())
    }
}

extension PublishCommand: RPCMessage {}
extension PublishAnswer: RPCMessage {}
extension SendCommand: RPCMessage {}
extension SendAnswer: RPCMessage {}
extension BroadcastCommand: RPCMessage {}
extension DoneAnswer: RPCMessage {}
extension CampaignCommand: RPCMessage {}
extension CampaignReference: RPCMessage {}
extension CampaignAnswer: RPCMessage {}
extension KickCommand: RPCMessage {}
extension KickAnswer: RPCMessage {}
extension PresenceCommand: RPCMessage {}
extension PresenceAnswer: RPCMessage {}
extension HistoryCommand: RPCMessage {}
extension HistoryAnswer: RPCMessage {}
extension SessionsCommand: RPCMessage {}
extension SessionsAnswer: RPCMessage {}

extension CommandFailure: RPCTypedError {
    public static let typeURL = "type.googleapis.com/longwire.CommandFailure"

    /// The status that it goes with.
    public var code: StatusCode {
        switch reason {
        case .malformed: .invalidArgument
        case .unauthenticated: .unauthenticated
        case .unknownCampaign: .notFound
        case .tooMany, .storeFull: .resourceExhausted
        case .unavailable: .unavailable
        }
    }
}
