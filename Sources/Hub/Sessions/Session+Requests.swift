import NetPoll

extension Session {
    /// Asks the client something and waits for its answer.
    ///
    /// - Parameters:
    ///   - message: The question.
    ///   - timeout: How long to wait.
    ///   - whenAnswered: Called once, on the session's loop: perhaps at once, where the session has
    ///     ended or its protocol has no word for a request.
    public func request(
        _ message: HubMessage, timeout: Duration = .seconds(10),
        whenAnswered: @escaping (Result<Payload, RequestError>) -> Void
    ) {
        guard !hasEnded, connection != nil else { return whenAnswered(.failure(.sessionEnded)) }
        let requests = requests ?? PendingRequests()
        self.requests = requests
        guard requests.pending.count < shard.configuration.requestsPerSessionMax else {
            return whenAnswered(.failure(.tooManyRequests))
        }
        requests.last &+= 1
        let id = RequestID(rawValue: requests.last)
        guard let frame = shard.frame(.request(id, message), for: self),
            shard.configuration.protocols[Int(protocolIndex)].subprotocol != nil
        else { return whenAnswered(.failure(.unsupported)) }
        let deadline = RequestDeadline(session: self, id: id)
        let timer = loop.schedule(after: timeout, deadline)
        requests.pending[id] = .init(timer: timer, whenAnswered: whenAnswered)
        send(frame)
    }

    /// Ends the request with that answer; nothing happens where it is not open any more.
    func answered(_ id: RequestID, _ result: Result<Payload, RequestError>) {
        guard let request = requests?.pending.removeValue(forKey: id) else { return }
        loop.cancel(request.timer)
        request.whenAnswered(result)
    }

    /// Ends all requests of a session that has ended.
    func failRequests() {
        guard let open = requests?.pending else { return }
        requests = nil
        for request in open.values {
            loop.cancel(request.timer)
            request.whenAnswered(.failure(.sessionEnded))
        }
    }
}

/// Why a request got no answer.
public enum RequestError: Error, Hashable, Sendable {
    /// None came in time.
    case timedOut
    /// The session ended before, or there is none of that name.
    case sessionEnded
    /// The client's protocol knows no requests.
    case unsupported
    /// ``HubConfiguration/requestsPerSessionMax`` are open.
    case tooManyRequests
}

/// The requests to a client that are open.
final class PendingRequests {
    struct Pending {
        let timer: TimerID
        let whenAnswered: (Result<Payload, RequestError>) -> Void
    }

    var last: UInt32 = 0
    var pending: [RequestID: Pending] = [:]
}

private final class RequestDeadline: TimerTarget {
    private weak let session: Session?
    private let id: RequestID

    init(session: Session, id: RequestID) {
        self.session = session
        self.id = id
    }

    func timerFired(_ timer: TimerID, on loop: EventLoop) {
        session?.answered(id, .failure(.timedOut))
    }
}
