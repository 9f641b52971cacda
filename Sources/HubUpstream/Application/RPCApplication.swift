public import ConnPool
public import NetPoll
public import RPC

/// An application that serves ``UpstreamService``, called over a pool of connections.
public struct RPCApplication: UpstreamSink {
    /// How it is called.
    public struct Configuration: Sendable {
        /// Of the calls: bounds, times, retries.
        public var client = RPCClientConfiguration()
        /// How long one call may take, with the attempts at it and the wait for a connection. Default
        /// 5 s, within ``/Hub/HubConfiguration/handshakeTimeout`` of clients that wait for the answer.
        public var timeout = Duration.seconds(5)
        /// What goes with every call, for example `authorization`. Default: nothing.
        public var metadata: RPCMetadata = [:]

        /// Creates the defaults.
        public init() {}
    }

    let client: RPCClient
    let options: CallOptions

    /// - Parameters:
    ///   - endpoint: Where it serves.
    ///   - loops: Serve the connections, in turn.
    ///   - configuration: How it is called.
    public init(
        at endpoint: TCPEndpoint, on loops: [EventLoop], configuration: Configuration = .init()
    ) {
        precondition(configuration.timeout > .zero, "a timeout of \(configuration.timeout)")
        client = RPCClient(to: endpoint, on: loops, configuration: configuration.client)
        options = CallOptions(timeout: configuration.timeout, metadata: configuration.metadata)
    }

    /// Tells an event by ``UpstreamService/event``.
    ///
    /// It is refused where the application answered that the event is at fault, and not itself:
    /// ``/RPC/StatusCode/invalidArgument``, `notFound`, `alreadyExists`, `permissionDenied`,
    /// `failedPrecondition`, `outOfRange`, `unimplemented` or `unauthenticated`. Everything else is
    /// told again.
    public func tell(_ event: UpstreamEvent) async -> UpstreamOutcome {
        do throws(RPCError) {
            _ = try await client.call(UpstreamService.event, event, options: options)
            return .delivered
        } catch {
            return error.isFinal ? .refused : .failed()
        }
    }

    /// Closes its connections.
    public func close() async { await client.close() }
}

extension RPCError {
    /// Whether the same call is answered the same the next time.
    fileprivate var isFinal: Bool {
        switch code {
        case .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .failedPrecondition,
            .outOfRange, .unimplemented, .unauthenticated:
            execution == .answered
        default:
            false
        }
    }
}
