import NetPoll
import PrometheusText
import WSFrame
import WSTransport

/// What is answered at which path.
enum Routes {
    static func router(_ metrics: PrometheusMetrics) -> HTTPRouter {
        var router = HTTPRouter()
        router.on(
            .get, "/", .onLoop { _ in HTTPResponse(status: .ok, text: "http-demo\n") })
        router.on(.get, "/healthz", .onLoop { _ in HTTPResponse(status: .ok, text: "ok\n") })
        router.on(.get, "/readyz", .onLoop { _ in HTTPResponse(status: .ok, text: "ready\n") })
        router.on(
            .get, "/who",
            .onLoop { call in HTTPResponse(status: .ok, text: "\(call.remoteAddress.host)\n") })
        router.on(
            .post, "/echo",
            .onLoop { call in
                HTTPResponse(
                    status: .ok,
                    headers: [HTTPHeader("Content-Type", "application/octet-stream")],
                    body: call.body)
            })
        router.on(.get, "/later/:milliseconds", .byTask { try await later($0) })
        router.on(
            .get, "/metrics",
            .onLoop { _ in
                HTTPResponse(
                    status: .ok,
                    headers: [HTTPHeader("Content-Type", PrometheusMetrics.contentType)],
                    body: metrics.text())
            })
        return router
    }

    /// Answers after a while, during which the loop serves others.
    private static func later(_ call: HTTPCall) async throws -> HTTPResponse {
        guard let milliseconds = call.parameters["milliseconds"].flatMap({ Int64($0) }),
            (0...10_000).contains(milliseconds)
        else { return HTTPResponse(status: .badRequest, text: "from 0 to 10000\n") }
        try await call.loop.sleep(for: .milliseconds(milliseconds))
        return HTTPResponse(status: .ok, text: "after \(milliseconds) ms\n")
    }
}
