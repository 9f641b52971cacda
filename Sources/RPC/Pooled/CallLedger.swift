import ConnPool
import NetPoll
import Synchronization

/// What became of a client's calls, by method.
///
/// A call takes the lock as it begins and as it ends, for a few additions each.
final class CallLedger: Sendable {
    /// How many methods are kept apart; a program has few, and one whose names come from elsewhere
    /// must not fill the memory with them. Calls of further ones are not counted.
    static let methodsMax = 1_024

    private struct State {
        var names: [EncodedName] = []
        var places: [EncodedName: Int] = [:]
        /// Where the call before was counted: mostly this one belongs there, too.
        var last = 0
        var records = MethodRecords()

        mutating func place(of name: EncodedName) -> Int? {
            if last < names.count, names[last] == name { return last }
            guard let place = places[name] else {
                guard names.count < methodsMax else { return nil }
                last = names.count
                places[name] = last
                names.append(name)
                return last
            }
            last = place
            return place
        }
    }

    private let state = Mutex(State())

    /// A call begins.
    ///
    /// - Returns: Where it is counted; `nil`: nowhere.
    func began(_ name: EncodedName) -> Int? {
        state.withLock { state in
            let place = state.place(of: name)
            if let place { state.records.started(place) }
            return place
        }
    }

    func ended(_ place: Int?, after duration: Duration, failed: Bool) {
        guard let place else { return }
        let nanoseconds = duration.inNanoseconds
        state.withLock { $0.records.ended(place, nanoseconds: nanoseconds, failed: failed) }
    }

    var statistics: [RPCMethodStatistics] {
        let (names, records) = state.withLock { ($0.names, $0.records) }
        var statistics = names.map { name in
            let (service, method) = name.parts
            return RPCMethodStatistics(service: service, name: method)
        }
        records.add(to: &statistics)
        return statistics
    }
}

extension RPCClient {
    /// What became of the calls of each method, in the order in which methods were first called;
    /// O(methods). Beyond the first 1,024 methods calls are not counted.
    ///
    /// A call counts once, whatever it took: its time is what its caller waited, for a connection and
    /// for further attempts too. Of a stream it is the time of the whole body.
    public var statistics: [RPCMethodStatistics] { ledger.statistics }

    /// Makes a call, and counts it; `body` gets the moment at which it began.
    @inline(__always)
    func counted<Reply, Failure: Error>(
        _ name: EncodedName, _ body: (Instant) async throws(Failure) -> Reply
    ) async throws(Failure) -> Reply {
        let begin = pool.now
        let place = ledger.began(name)
        do throws(Failure) {
            let reply = try await body(begin)
            ledger.ended(place, after: pool.now - begin, failed: false)
            return reply
        } catch {
            ledger.ended(place, after: pool.now - begin, failed: true)
            throw error
        }
    }
}
