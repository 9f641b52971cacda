public import HubHTTP
public import HubRPC
public import RPC

/// What an application serves to be told by a hub what happens there.
///
///     var handlers = RPCHandlers()
///     handlers.handle(UpstreamService.connect) { question, _ in .asFound }
///     handlers.handle(UpstreamService.event) { event, _ in
///         print(event.user ?? "somebody", event.kind)
///         return DoneAnswer()
///     }
///
/// Both may be called again where an answer was lost; ``UpstreamEvent/id`` tells events that came before.
/// An application that does not serve ``event`` refuses all events by that. One that does not serve
/// ``connect`` must not be asked: to an ``ApplicationAuthenticator`` it is away.
public enum UpstreamService: RPCService {
    public static let serviceName = "longwire.Upstream"

    /// Decides on a client that wants a session.
    public static let connect = unary(
        "Connect", ConnectQuestion.self, ConnectAnswer.self, .idempotent)
    /// Takes what happened.
    public static let event = unary("Event", UpstreamEvent.self, DoneAnswer.self, .idempotent)
}

extension ConnectQuestion: RPCMessage {}
extension ConnectAnswer: RPCMessage {}
extension UpstreamEvent: RPCMessage {}
