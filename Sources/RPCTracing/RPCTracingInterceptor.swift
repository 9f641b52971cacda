internal import Instrumentation
public import RPC
public import Tracing

/// A span around every call, whose context goes with it to the other side (swift-distributed-tracing).
///
///     configuration.interceptors = [RPCTracingInterceptor()]  // a client's
///     handlers.interceptors = [RPCTracingInterceptor()]  // a server's
///
/// The client's span is a child of the caller's, and goes with the request's metadata under the keys
/// of the tracer; the server's continues it and is current while the handler runs, so that calls the
/// handler makes continue it too. Calls of an ``/RPC/RPCConnection``, which no interceptor goes
/// around, take the context with `RPCMetadata.addTraceContext`.
///
/// Spans are named `service/method`, and have the attributes `rpc.system` ("ttrpc"), `rpc.service`,
/// `rpc.method`, and where a call failed `rpc.ttrpc.status_code`.
public struct RPCTracingInterceptor: RPCInterceptor {
    private let tracer: (any Tracer)?

    /// - Parameter tracer: Makes the spans. Default: the one that was bootstrapped.
    public init(tracer: (any Tracer)? = nil) {
        self.tracer = tracer
    }

    public func intercept(
        _ call: InterceptedCall, next: (InterceptedCall) async throws -> Void
    ) async throws {
        let tracer = tracer ?? InstrumentationSystem.tracer
        let name = "\(call.service)/\(call.method)"
        switch call.side {
        case .client:
            try await tracer.withAnySpan(
                name, context: .current ?? .topLevel, ofKind: .client
            ) { span in
                var call = call
                tracer.inject(span.context, into: &call.metadata, using: MetadataInjector())
                try await run(call, in: span, next)
            }
        case .server:
            var context = ServiceContext.topLevel
            tracer.extract(call.metadata, into: &context, using: MetadataExtractor())
            try await tracer.withAnySpan(name, context: context, ofKind: .server) { span in
                try await run(call, in: span, next)
            }
        }
    }

    private func run(
        _ call: InterceptedCall, in span: any Span,
        _ next: (InterceptedCall) async throws -> Void
    ) async throws {
        span.attributes["rpc.system"] = "ttrpc"
        span.attributes["rpc.service"] = call.service
        span.attributes["rpc.method"] = call.method
        do {
            try await next(call)
        } catch {
            // Whoever ends the span records the error itself.
            let code = (error as? RPCError)?.code ?? .unknown
            span.attributes["rpc.ttrpc.status_code"] = Int64(code.rawValue)
            throw error
        }
    }
}

extension RPCMetadata {
    /// Adds the context of the caller's span, for a call that no interceptor goes around: those of an
    /// ``/RPC/RPCConnection``, a handler's to its caller among them.
    ///
    /// - Parameters:
    ///   - context: What is added; `nil`: nothing. Default: the current task's.
    ///   - tracer: Knows its keys. Default: the one that was bootstrapped.
    public mutating func addTraceContext(
        _ context: ServiceContext? = .current, tracer: (any Tracer)? = nil
    ) {
        guard let context else { return }
        let tracer = tracer ?? InstrumentationSystem.tracer
        tracer.inject(context, into: &self, using: MetadataInjector())
    }
}

private struct MetadataInjector: Injector {
    func inject(_ value: String, forKey key: String, into metadata: inout RPCMetadata) {
        metadata.add(value, for: key)
    }
}

private struct MetadataExtractor: Extractor {
    func extract(key: String, from metadata: RPCMetadata) -> String? { metadata[key] }
}
