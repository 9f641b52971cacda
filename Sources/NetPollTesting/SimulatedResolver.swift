public import NetPoll

/// Answers from a script, after as long on a simulated loop's clock as the script says.
///
/// `@unchecked Sendable`: used in the test's one thread, like all of a simulated network.
public final class SimulatedResolver: Resolver, @unchecked Sendable {
    private struct Question: Hashable {
        let host: String
        let family: AddressFamily
    }

    private struct Answer {
        let result: Result<[SocketAddress], ResolveError>
        let delay: Duration?
    }

    private let loop: EventLoop
    private var answers: [Question: Answer] = [:]

    /// - Parameter loop: Its clock is the resolver's.
    public init(loop: EventLoop) {
        self.loop = loop
    }

    /// Sets the answer to one question; without any, a host is not found.
    ///
    /// - Parameters:
    ///   - host: The name that is asked for.
    ///   - family: The family that is asked for.
    ///   - hosts: Numeric addresses; they get the port that is asked for.
    ///   - delay: How long the answer takes; `nil`: it never comes.
    /// - Throws: ``/NetPoll/SocketAddressError`` where one of them is not numeric.
    public func answer(
        _ host: String, _ family: AddressFamily, _ hosts: [String],
        after delay: Duration? = .zero
    ) throws(SocketAddressError) {
        var addresses: [SocketAddress] = []
        for text in hosts { addresses.append(try SocketAddress(host: text, port: 0)) }
        answers[Question(host: host, family: family)] = Answer(
            result: .success(addresses), delay: delay)
    }

    /// Lets one question fail.
    public func fail(
        _ host: String, _ family: AddressFamily, _ error: ResolveError,
        after delay: Duration? = .zero
    ) {
        answers[Question(host: host, family: family)] = Answer(
            result: .failure(error), delay: delay)
    }

    public func resolve(
        _ host: String, port: UInt16, family: AddressFamily,
        completion: @escaping @Sendable (Result<[SocketAddress], ResolveError>) -> Void
    ) {
        let answer =
            answers[Question(host: host, family: family)]
            ?? Answer(result: .failure(.notFound), delay: .zero)
        guard let delay = answer.delay else { return }
        let result = answer.result.map { $0.map { $0.with(port: port) } }
        if delay == .zero {
            completion(result)
        } else {
            loop.schedule(after: delay, Later { completion(result) })
        }
    }

    private final class Later: TimerTarget {
        private let body: () -> Void

        init(_ body: @escaping () -> Void) { self.body = body }

        func timerFired(_ id: TimerID, on loop: EventLoop) { body() }
    }
}
