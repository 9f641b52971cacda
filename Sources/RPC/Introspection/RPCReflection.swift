internal import ConnPool
internal import NetPoll

/// The service `longwire.Reflection`, as far as ``RPCConfiguration/introspection`` has it.
public enum RPCReflectionService: RPCService {
    public static let serviceName = "longwire.Reflection"
    /// Tells which methods the server has.
    public static let listMethods = unary(
        "ListMethods", RPCReflectionRequest.self, RPCMethodList.self)
    /// Tells what became of the calls so far.
    public static let statistics = unary(
        "Statistics", RPCReflectionRequest.self, RPCStatisticsReply.self)
}

/// Asks for all there is.
public struct RPCReflectionRequest: RPCMessage, Hashable {
    public init() {}

    /// Takes whatever comes.
    public init(decoding payload: RawSpan) {}

    /// Encodes nothing.
    public func encode(to payload: inout PayloadWriter) {}
}

/// A method that a server has. Protobuf: 1 service, 2 name, 3 shape (0 unary, 1 client-streaming,
/// 2 server-streaming, 3 bidirectional).
public struct RPCMethodDescription: Hashable, Sendable {
    /// The full name of its service.
    public var service: String
    /// Its bare name.
    public var name: String
    public var shape: CallShape
}

/// The methods of a server, in the order they were registered. Protobuf: 1 methods.
public struct RPCMethodList: RPCMessage, Hashable {
    public var methods: [RPCMethodDescription]

    init(methods: [RPCMethodDescription]) { self.methods = methods }

    /// Decodes the message.
    public init(decoding payload: RawSpan) throws {
        methods = []
        try FieldReader.forEach(of: payload) { field throws(EnvelopeError) in
            guard field.number == 1 else { return }
            var method = RPCMethodDescription(service: "", name: "", shape: .unary)
            try field.forEachField { field throws(EnvelopeError) in
                switch field.number {
                case 1: method.service = try field.text()
                case 2: method.name = try field.text()
                case 3: method.shape = CallShape(number: try field.integer())
                default: break
                }
            }
            methods.append(method)
        }
    }

    /// Encodes the message.
    public func encode(to payload: inout PayloadWriter) {
        var fields = FieldWriter()
        for method in methods {
            var description = FieldWriter()
            description.text(1, method.service)
            description.text(2, method.name)
            description.integer(3, method.shape.number)
            fields.message(1, description)
        }
        payload.append(fields.bytes)
    }
}

/// What became of a server's calls. Protobuf: 1 methods, each 1 service, 2 name, 3 started, 4 ended,
/// 5 failed, 6 median, 7 the 99th percentile, 8 the longest, each in nanoseconds.
public struct RPCStatisticsReply: RPCMessage, Hashable {
    /// Of one method.
    public struct Method: Hashable, Sendable {
        public var service = ""
        public var name = ""
        /// Calls whose handler was started.
        public var started = 0
        /// Those that ended, in whatever way.
        public var ended = 0
        /// Those that ended with an error, or after nobody waited for them any more.
        public var failed = 0
        /// How long half of them took at most; `nil`: not measured.
        public var median: Duration?
        /// How long 99 of 100 took at most.
        public var percentile99: Duration?
        /// How long the longest took.
        public var longest: Duration?
    }

    public var methods: [Method]

    init(_ statistics: [RPCMethodStatistics]) {
        methods = statistics.map { method in
            Method(
                service: method.service, name: method.name, started: method.started,
                ended: method.ended, failed: method.failed,
                median: method.durations.quantile(0.5),
                percentile99: method.durations.quantile(0.99),
                longest: method.durations.quantile(1))
        }
    }

    /// Decodes the message.
    public init(decoding payload: RawSpan) throws {
        methods = []
        try FieldReader.forEach(of: payload) { field throws(EnvelopeError) in
            guard field.number == 1 else { return }
            var method = Method()
            try field.forEachField { field throws(EnvelopeError) in
                switch field.number {
                case 1: method.service = try field.text()
                case 2: method.name = try field.text()
                case 3: method.started = Int(clamping: try field.integer())
                case 4: method.ended = Int(clamping: try field.integer())
                case 5: method.failed = Int(clamping: try field.integer())
                case 6: method.median = .nanoseconds(Int64(clamping: try field.integer()))
                case 7: method.percentile99 = .nanoseconds(Int64(clamping: try field.integer()))
                case 8: method.longest = .nanoseconds(Int64(clamping: try field.integer()))
                default: break
                }
            }
            methods.append(method)
        }
    }

    /// Encodes the message.
    public func encode(to payload: inout PayloadWriter) {
        func number(_ duration: Duration?) -> UInt64 {
            UInt64(max(0, duration?.inNanoseconds ?? 0))
        }
        var fields = FieldWriter()
        for method in methods {
            var entry = FieldWriter()
            entry.text(1, method.service)
            entry.text(2, method.name)
            entry.integer(3, UInt64(method.started))
            entry.integer(4, UInt64(method.ended))
            entry.integer(5, UInt64(method.failed))
            entry.integer(6, number(method.median))
            entry.integer(7, number(method.percentile99))
            entry.integer(8, number(method.longest))
            fields.message(1, entry)
        }
        payload.append(fields.bytes)
    }
}

extension CallShape {
    private static let numbered: [CallShape] = [
        .unary, .clientStreaming, .serverStreaming, .bidirectional,
    ]

    fileprivate var number: UInt64 { UInt64(Self.numbered.firstIndex(of: self) ?? 0) }

    /// One that nobody knows is unary.
    fileprivate init(number: UInt64) {
        self = number < UInt64(Self.numbered.count) ? Self.numbered[Int(number)] : .unary
    }
}

extension CallShape: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unary: "unary"
        case .clientStreaming: "client-streaming"
        case .serverStreaming: "server-streaming"
        case .bidirectional: "bidirectional"
        }
    }
}
