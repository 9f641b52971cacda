internal import Synchronization

/// Whether a server and its services are fit to be called, as ``RPCHealthService`` tells.
///
/// A server serves until it drains; each service may say something else of itself.
public final class RPCHealth: Sendable {
    /// A service's fitness; numbered as in grpc.health.v1.
    public struct Status: RawRepresentable, Hashable, Sendable {
        public let rawValue: Int32

        public init(rawValue: Int32) { self.rawValue = rawValue }

        public static let unknown = Status(rawValue: 0)
        public static let serving = Status(rawValue: 1)
        public static let notServing = Status(rawValue: 2)
        /// There is no service of that name.
        public static let serviceUnknown = Status(rawValue: 3)
    }

    private struct State {
        // By the bytes of their names: `String` may take quadratic time to be hashed.
        var services: [[UInt8]: Status] = [:]
        var isDraining = false
    }

    private let state = Mutex(State())

    init() {}

    /// The status of a service by its full name; of the whole server by the empty one, which is
    /// ``Status/serving`` unless it was set. A service that nobody set is
    /// ``Status/serviceUnknown``; while the server drains everything is ``Status/notServing``. Names
    /// are compared by their bytes.
    public subscript(service: String) -> Status {
        get {
            let name = Array(service.utf8)
            return state.withLock { state in
                if state.isDraining { return .notServing }
                return state.services[name] ?? (service.isEmpty ? .serving : .serviceUnknown)
            }
        }
        set {
            let name = Array(service.utf8)
            state.withLock { $0.services[name] = newValue }
        }
    }

    func drain() { state.withLock { $0.isDraining = true } }
}

extension RPCHealth.Status: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknown: "unknown"
        case .serving: "serving"
        case .notServing: "not serving"
        case .serviceUnknown: "service unknown"
        default: "status \(rawValue)"
        }
    }
}

/// The service `longwire.Health`, where ``RPCConfiguration/introspection`` has it.
public enum RPCHealthService: RPCService {
    public static let serviceName = "longwire.Health"
    /// Tells the status of a service, or of the whole server.
    public static let check = unary(
        "Check", RPCHealthCheckRequest.self, RPCHealthCheckReply.self)
}

/// Which service's health is wanted. Protobuf: 1 service, as in grpc.health.v1.
public struct RPCHealthCheckRequest: RPCMessage, Hashable {
    /// A full name; empty: the whole server.
    public var service: String

    public init(service: String = "") { self.service = service }

    /// Decodes the message.
    public init(decoding payload: RawSpan) throws {
        service = ""
        try FieldReader.forEach(of: payload) { field throws(EnvelopeError) in
            if field.number == 1 { service = try field.text() }
        }
    }

    /// Encodes the message.
    public func encode(to payload: inout PayloadWriter) {
        var fields = FieldWriter()
        fields.text(1, service)
        payload.append(fields.bytes)
    }
}

/// A service's health. Protobuf: 1 status, as in grpc.health.v1.
public struct RPCHealthCheckReply: RPCMessage, Hashable {
    public var status: RPCHealth.Status

    public init(status: RPCHealth.Status) { self.status = status }

    /// Decodes the message.
    public init(decoding payload: RawSpan) throws {
        status = .unknown
        try FieldReader.forEach(of: payload) { field throws(EnvelopeError) in
            if field.number == 1 {
                status = .init(rawValue: Int32(truncatingIfNeeded: try field.integer()))
            }
        }
    }

    /// Encodes the message.
    public func encode(to payload: inout PayloadWriter) {
        var fields = FieldWriter()
        fields.integer(1, UInt64(UInt32(bitPattern: status.rawValue)))
        payload.append(fields.bytes)
    }
}
