/// Does something around every call of one side: logs, measures, authenticates, refuses.
///
///     struct Authentication: RPCInterceptor {
///         let token: String
///
///         func intercept(
///             _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
///         ) async throws {
///             var call = call
///             call.metadata.add("Bearer \(token)", for: "authorization")
///             try await next(call)
///         }
///     }
///
/// Interceptors are the layers of an onion: the first one registered is outermost, sees a call first
/// and its outcome last. The same one may stand on both sides. Where none is registered a call costs
/// nothing for there being any.
public protocol RPCInterceptor: Sendable {
    /// Goes around one call.
    ///
    /// A client's interceptors go around the whole call once, with all its attempts; a server's run in
    /// the handler's task, and those of a stream go around all of it.
    ///
    /// - Parameters:
    ///   - call: The call, whose metadata and deadline are a copy to be changed for `next`.
    ///   - next: The layers within and the call itself; to be called once. It returns where the call
    ///     succeeded.
    /// - Throws: What ends the call in place of its outcome; what `next` threw should be thrown on.
    ///   A call that ends well without `next` fails with ``StatusCode/internal``: there is no reply.
    func intercept(
        _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
    ) async throws
}

/// Several interceptors, the first of them outermost.
struct InterceptorChain: Sendable {
    let interceptors: [any RPCInterceptor]

    var isEmpty: Bool { interceptors.isEmpty }

    /// Runs `body` within all of them.
    func run(
        _ call: InterceptedCall, _ body: (InterceptedCall) async throws -> Void
    ) async throws {
        var wasCalled = false
        try await run(call, from: 0) { call in
            try await body(call)
            wasCalled = true
        }
        guard wasCalled else {
            throw RPCError(
                .internal, "an interceptor ended the call without its reply", execution: .unknown)
        }
    }

    private func run(
        _ call: InterceptedCall, from index: Int, _ body: (InterceptedCall) async throws -> Void
    ) async throws {
        guard index < interceptors.count else { return try await body(call) }
        try await interceptors[index].intercept(call) { call in
            try await run(call, from: index + 1, body)
        }
    }
}
