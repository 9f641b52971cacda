import WSFrame
import WSTransport

/// Answers the plain HTTP requests that reach the hub's port: its files, `/healthz` and `/readyz`.
struct HTTPEdge: Sendable {
    /// Where a supervisor asks whether the process works.
    static let healthPath = "/healthz"
    /// Where load balancers ask whether to send clients here.
    static let readinessPath = "/readyz"

    private let files: StaticFiles

    init(files: [String: StaticFile]) {
        self.files = StaticFiles(files)
    }

    /// The response to `request`, `nil` where its path is another; while draining, `/readyz` says so by
    /// its status.
    func response(to request: HTTPRequest, isDraining: Bool) -> HTTPResponse? {
        if let response = files.response(to: request) { return response }
        let answer: HTTPResponse
        switch request.path {
        case Self.healthPath:
            answer = HTTPResponse(status: .ok, text: "ok\n")
        case Self.readinessPath where isDraining:
            answer = HTTPResponse(status: .serviceUnavailable, text: "draining\n")
        case Self.readinessPath:
            answer = HTTPResponse(status: .ok, text: "ready\n")
        default:
            return nil
        }
        guard request.method == .get || request.method == .head else {
            var response = HTTPResponse(
                status: .methodNotAllowed, text: "405 Method Not Allowed\n")
            response.headers.append(HTTPHeader("Allow", "GET, HEAD"))
            return response
        }
        return answer
    }
}
