import NetPoll
import WSFrame
import WSTransport

/// Opens one WebSocket after the other, each until its server closes it.
struct Walk {
    let client: WebSocketClient
    let address: SocketAddress

    /// How many cases the server has; it says so in one text message.
    func caseCount() async throws -> Int {
        let said = try await visit("/getCaseCount", echoing: false)
        guard let count = Int(said) else { throw WalkError(description: "no count: \(said)") }
        return count
    }

    /// Opens a WebSocket at `target` and waits for its end.
    ///
    /// - Returns: The last text that came.
    @discardableResult
    func visit(_ target: String, echoing: Bool = true) async throws -> String {
        let loop = client.group.loops[0]
        let request = WebSocketRequest(host: "\(address)", target: target)
        let result: Result<String, WebSocketClientError> = await withCheckedContinuation {
            continuation in
            let willRun = loop.execute { [client, address] in
                let visitor = Visitor(echoes: echoing) { continuation.resume(returning: $0) }
                client.connect(to: address, request, on: loop, handler: visitor) { result in
                    if case .failure(let error) = result { visitor.end(.failure(error)) }
                }
            }
            precondition(willRun, "the loop was shut down")
        }
        return try result.get()
    }
}

/// A server that does not walk along.
struct WalkError: Error, CustomStringConvertible {
    let description: String
}

/// Echoes what it gets, and tells when the WebSocket is gone.
private final class Visitor: WebSocketHandler {
    private let echoes: Bool
    private let ended: (Result<String, WebSocketClientError>) -> Void
    private var lastText = ""

    init(echoes: Bool, ended: @escaping (Result<String, WebSocketClientError>) -> Void) {
        self.echoes = echoes
        self.ended = ended
    }

    func end(_ result: Result<String, WebSocketClientError>) { ended(result) }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        if echoes {
            connection.send(message, kind: kind)
        } else {
            lastText = message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        end(.success(lastText))
    }
}
