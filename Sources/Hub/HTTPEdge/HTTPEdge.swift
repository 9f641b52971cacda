import WSFrame

/// Answers the plain HTTP requests that reach the hub's port: its files, and `/healthz`.
struct HTTPEdge: Sendable {
    /// Where load balancers ask whether to send clients here.
    static let healthPath = "/healthz"

    private let files: [String: StaticFile]

    init(files: [String: StaticFile]) {
        self.files = files
    }

    /// The response to `request`; while draining, `/healthz` says so by its status.
    func response(to request: HTTPRequest, isDraining: Bool) -> HTTPResponse {
        let path = request.path
        let file = files[path]
        guard file != nil || path == Self.healthPath else {
            return HTTPResponse(status: .notFound, text: "404 Not Found\n")
        }
        guard request.method == .get || request.method == .head else {
            var response = HTTPResponse(
                status: .methodNotAllowed, text: "405 Method Not Allowed\n")
            response.headers.append(HTTPHeader("Allow", "GET, HEAD"))
            return response
        }
        if let file {
            return HTTPResponse(status: .ok, headers: file.headers, body: file.body)
        }
        return isDraining
            ? HTTPResponse(status: .serviceUnavailable, text: "draining\n")
            : HTTPResponse(status: .ok, text: "ok\n")
    }
}
