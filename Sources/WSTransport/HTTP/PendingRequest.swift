import NetPoll
import WSFrame

/// What an exchange keeps for a request that is not answered at once: the body that arrives, the
/// responder that runs, the answer that the client has not taken, and what came behind meanwhile.
final class PendingRequest {
    /// What answers once the body is read.
    enum Answer {
        case response(HTTPResponse)
        case responder(HTTPResponder)
        /// A task finds out what to do; the upgrade is what the request asks for, if it does.
        case decision(WebSocketUpgrade?)
    }

    let request: HTTPRequest
    let answer: Answer
    var body: [UInt8] = []
    /// Bytes of the body so far, kept or not.
    var bodyBytes = 0
    var running: RunningResponder?

    init(_ request: HTTPRequest, _ answer: Answer) {
        self.request = request
        self.answer = answer
    }

    /// Whether a body is of use.
    var keepsBody: Bool {
        switch answer {
        case .response, .decision: false
        case .responder: true
        }
    }
}
