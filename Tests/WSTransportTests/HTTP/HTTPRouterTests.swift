import Testing
import WSFrame
import WSTransport

@Suite("HTTPRouter")
struct HTTPRouterTests {
    private func router() -> HTTPRouter {
        var router = HTTPRouter()
        for (method, pattern) in [
            ("GET", "/"), ("GET", "/a"), ("POST", "/a"), ("GET", "/users/:id"),
            ("GET", "/users/me"), ("DELETE", "/users/:id/posts/:post"), ("GET", "/users/me/x"),
            ("PUT", "/ü"), ("GET", "/end/"),
        ] {
            router.on(
                HTTPMethod(rawValue: method), pattern,
                .onLoop { call in
                    let id = call.parameters["id"].map { " id=\($0)" } ?? ""
                    let post = call.parameters["post"].map { " post=\($0)" } ?? ""
                    return HTTPResponse(status: .ok, text: "\(method) \(pattern)\(id)\(post)")
                })
        }
        return router
    }

    @Test(arguments: [
        ("GET /", "GET /"), ("GET /a?b=/c", "GET /a"), ("HEAD /a", "GET /a"),
        ("POST /a", "POST /a"),
        ("GET /users/7", "GET /users/:id id=7"), ("GET /users/me", "GET /users/me"),
        ("GET /users/a%2Fb%20c", "GET /users/:id id=a/b c"), ("GET /%61", "GET /a"),
        ("DELETE /users/me/posts/9", "DELETE /users/:id/posts/:post id=me post=9"),
        ("GET /users/me/x", "GET /users/me/x"), ("PUT /%C3%BC", "PUT /ü"),
        ("GET /end/", "GET /end/"),
        ("GET http://h/a", "GET /a"),
        ("GET /b", "404"), ("GET /a/", "404"), ("GET //", "404"), ("GET /users/", "404"),
        ("GET /users/..", "404"), ("GET /users/%2e%2E", "404"), ("GET /users/7/x", "404"),
        ("GET /end", "404"), ("OPTIONS *", "404"), ("GET /users/%", "400"),
        ("GET /users/%0A", "400"),
        ("GET /users/%00", "400"), ("GET /%FF", "400"), ("PUT /a", "405"), ("POST /", "405"),
        ("OPTIONS /a", "204"),
        // The same text to a reader, and other bytes.
        ("PUT /u%CC%88", "404"),
    ])
    func `a request finds its route`(line: String, expected: String) async throws {
        let bench = try await RouterBench(router())
        #expect(try bench.answer(to: line) == expected)
    }

    @Test func `what a refusal allows is listed`() async throws {
        let bench = try await RouterBench(router())
        #expect(try bench.allowed(to: "PUT /a") == "GET, HEAD, OPTIONS, POST")
        #expect(try bench.allowed(to: "GET /users/1/posts/2") == "DELETE, OPTIONS")
    }

    @Test(arguments: ["a", "/:", "/:a/:a"])
    func `a pattern that is none traps`(pattern: String) async {
        await #expect(processExitsWith: .failure) { [pattern] in
            var router = HTTPRouter()
            router.on(.get, pattern, .onLoop { _ in HTTPResponse(status: .ok) })
        }
    }

    @Test func `a route given twice traps`() async {
        await #expect(processExitsWith: .failure) {
            var router = HTTPRouter()
            router.on(.get, "/:a", .onLoop { _ in HTTPResponse(status: .ok) })
            router.on(.get, "/:b", .onLoop { _ in HTTPResponse(status: .ok) })
        }
    }
}
