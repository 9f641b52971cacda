import NetPollTesting

@testable import RPC

extension ConnectionCore {
    /// Takes a whole frame.
    mutating func take(_ frame: Frame, at now: Int64 = 0) throws(ProtocolViolation) -> CoreEvent {
        var result: Result<CoreEvent, ProtocolViolation> = .success(.none)
        frame.data.withUnsafeBytes { data in
            do throws(ProtocolViolation) {
                result = .success(try received(frame.header, data, at: now))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    /// The streams and statuses of the refusals to be sent.
    mutating func takeRefusals() -> [UInt32: StatusCode] {
        var refusals: [UInt32: StatusCode] = [:]
        for case .refusal(let stream, let error) in takeControl() { refusals[stream] = error.code }
        return refusals
    }

    /// Opens a call that is sent at once; gives its key and id.
    mutating func sent(
        _ shape: CallShape = .unary, deadline: Int64 = .max
    ) throws -> (key: CallKey, id: UInt32) {
        guard case .send(let key) = opened(shape, deadline: deadline) else { throw NotSent() }
        return (key, begin(key.slot, shape: shape).id)
    }

    /// The first frame to be sent.
    mutating func firstControl() throws -> ControlFrame {
        guard let frame = takeControl().first else { throw NotSent() }
        return frame
    }
}

/// What was to be sent was not.
struct NotSent: Error {}

/// A client's and a server's core.
struct CorePair: ~Copyable {
    var client: ConnectionCore
    var server: ConnectionCore

    init(_ clientLimits: CoreLimits = .init(), _ serverLimits: CoreLimits = .init()) {
        client = ConnectionCore(role: .client, limits: clientLimits, now: 0)
        server = ConnectionCore(role: .server, limits: serverLimits, now: 0)
    }

    /// Exchanges settings through one unary call.
    mutating func negotiate() throws {
        let call = try client.sent()
        guard
            case .call(let slot, _, _) = try server.take(Sample.request(call.id, announces: true))
        else { return }
        try exchange()
        guard let id = server.answered(slot) else { return }
        _ = try client.take(Sample.response(id))
    }

    /// Carries control frames between the two until there are none.
    mutating func exchange() throws {
        while client.hasControl || server.hasControl {
            for frame in server.takeControl() { _ = try client.take(Sample.control(frame)) }
            for frame in client.takeControl() { _ = try server.take(Sample.control(frame)) }
        }
    }
}
