public import WSFrame

/// Finds who answers a request by its method and path.
///
/// ```swift
/// var router = HTTPRouter()
/// router.on(.post, "/rooms/:room/messages", .byTask { call in
///     try await store(call.body, in: call.parameters["room"] ?? "")
///     return HTTPResponse(status: .created)
/// })
/// let server = WebSocketServer(group: group) { request, _, _ in router.decision(for: request) }
/// ```
///
/// A pattern's segments are text, which has to be equal, or `:name`, which any segment that is not
/// empty, `.` or `..` takes the place of. Segments are compared percent-decoded, byte by byte; a
/// decoded slash separates nothing. Where both fit, text goes before a parameter. What is routed for GET answers
/// HEAD too. Another path is answered 404, another method 405 with `Allow`, OPTIONS 204 with it, and
/// a path that cannot be decoded 400.
public struct HTTPRouter: Sendable {
    private struct Node: Sendable {
        /// By the bytes of the segments: to compare texts of a client's would mean to normalise them.
        var children: [[UInt8]: Node] = [:]
        /// At most one; boxed, because a node cannot hold itself.
        var parameter: [Node] = []
        var routes: [Route] = []
    }

    private struct Route: Sendable {
        let method: HTTPMethod
        let names: [String]
        let responder: HTTPResponder
    }

    private var root = Node()

    public init() {}

    /// Adds a route.
    ///
    /// - Precondition: `pattern` begins with a slash, its parameters have names of their own, and the
    ///   method has no other route of the same form.
    public mutating func on(_ method: HTTPMethod, _ pattern: String, _ responder: HTTPResponder) {
        precondition(pattern.first == "/", "pattern \(pattern) does not begin with a slash")
        let segments = Self.segments(pattern[...])
        let names = segments.filter { $0.first == ":" }.map { String($0.dropFirst()) }
        precondition(
            Set(names).count == names.count && !names.contains(""),
            "pattern \(pattern) has parameters without a name of their own")
        let route = Route(method: method, names: names, responder: responder)
        Self.insert(route, pattern, segments[...], into: &root)
    }

    /// What to do with `request`.
    ///
    /// Complexity: O(bytes of the path + nodes that fit it).
    public func decision(for request: HTTPRequest) -> WebSocketServer.Decision {
        var segments: [String] = []
        for segment in Self.segments(request.path[...]) {
            guard let decoded = PercentDecoding.decode(segment) else {
                return .respond(HTTPResponse(status: .badRequest, text: "400 Bad Request\n"))
            }
            segments.append(decoded)
        }
        var values: [String] = []
        guard let node = Self.find(segments[...], in: root, &values) else {
            return .respond(HTTPResponse(status: .notFound, text: "404 Not Found\n"))
        }
        let method = request.method
        let route =
            node.routes.first { $0.method == method }
            ?? (method == .head ? node.routes.first { $0.method == .get } : nil)
        guard let route else { return .respond(Self.refusal(of: method, node.routes)) }
        let parameters = HTTPParameters(
            values: zip(route.names, values).map { (name: $0, value: $1) })
        return .answer(route.responder.with(parameters))
    }

    // MARK: - The tree

    private static func segments(_ path: Substring) -> [Substring] {
        path.dropFirst(path.first == "/" ? 1 : 0)
            .split(separator: "/", omittingEmptySubsequences: false)
    }

    private static func insert(
        _ route: Route, _ pattern: String, _ rest: ArraySlice<Substring>, into node: inout Node
    ) {
        guard let segment = rest.first else {
            precondition(
                !node.routes.contains { $0.method == route.method },
                "\(route.method) \(pattern) is routed twice")
            node.routes.append(route)
            return
        }
        if segment.first == ":" {
            if node.parameter.isEmpty { node.parameter.append(Node()) }
            insert(route, pattern, rest.dropFirst(), into: &node.parameter[0])
        } else {
            insert(
                route, pattern, rest.dropFirst(),
                into: &node.children[Array(segment.utf8), default: Node()])
        }
    }

    /// The node with routes that `rest` leads to; each node of the tree is visited once at most.
    private static func find(
        _ rest: ArraySlice<String>, in node: Node, _ values: inout [String]
    ) -> Node? {
        guard let segment = rest.first else { return node.routes.isEmpty ? nil : node }
        if let child = node.children[Array(segment.utf8)],
            let found = find(rest.dropFirst(), in: child, &values)
        {
            return found
        }
        guard let parameter = node.parameter.first,
            segment.utf8.count > 2 || !["", ".", ".."].contains(segment)
        else { return nil }
        values.append(segment)
        if let found = find(rest.dropFirst(), in: parameter, &values) { return found }
        values.removeLast()
        return nil
    }

    private static func refusal(of method: HTTPMethod, _ routes: [Route]) -> HTTPResponse {
        var allowed = routes.map(\.method.rawValue)
        if allowed.contains("GET"), !allowed.contains("HEAD") { allowed.append("HEAD") }
        if !allowed.contains("OPTIONS") { allowed.append("OPTIONS") }
        var response =
            method == .options
            ? HTTPResponse(status: .noContent)
            : HTTPResponse(status: .methodNotAllowed, text: "405 Method Not Allowed\n")
        response.headers.append(HTTPHeader(listing: allowed.sorted(), as: "Allow"))
        return response
    }
}

extension HTTPHeader {
    /// A header that lists tokens.
    init(listing tokens: [String], as name: String) {
        do {
            try self.init(name: name, value: tokens.joined(separator: ", "))
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
