public import ConnPool
internal import NetPoll

/// What became of the calls of one method, since the server or client was made.
public struct RPCMethodStatistics: Hashable, Sendable {
    /// The full name of its service.
    public let service: String
    /// Its bare name.
    public let name: String
    /// Server: calls whose handler was started. Client: calls that were made.
    public internal(set) var started = 0
    /// Those that ended, in whatever way.
    public internal(set) var ended = 0
    /// Those that ended with an error, or after nobody waited for them any more.
    public internal(set) var failed = 0
    /// How long calls took. Client: what the caller waited. Server: from the event that brought the
    /// request to the one that sends the answer; as exact as the turns of their loop. Inline handlers
    /// are counted and not measured, for they end within the event.
    public internal(set) var durations = DurationHistogram()

    /// Those that run now.
    public var running: Int { started - ended }
}

/// What became of the calls on one loop, by the method's place in its table.
///
/// Used on its loop only. A call costs a few additions; the clock is not read for it.
struct MethodRecords: Sendable {
    struct Record: Sendable {
        var started = 0
        var ended = 0
        var failed = 0
        var durations: DurationHistogram?
    }

    private(set) var records: [Record] = []

    mutating func started(_ index: Int) {
        makeRoom(for: index)
        records[index].started += 1
    }

    mutating func ended(_ index: Int, nanoseconds: Int64, failed: Bool) {
        records[index].ended += 1
        if failed { records[index].failed += 1 }
        if records[index].durations == nil { records[index].durations = DurationHistogram() }
        records[index].durations?.add(nanoseconds: nanoseconds)
    }

    mutating func servedInline(_ index: Int, failed: Bool) {
        makeRoom(for: index)
        records[index].started += 1
        records[index].ended += 1
        if failed { records[index].failed += 1 }
    }

    /// Adds them to those of other loops.
    func add(to statistics: inout [RPCMethodStatistics]) {
        for (index, record) in records.enumerated() {
            statistics[index].started += record.started
            statistics[index].ended += record.ended
            statistics[index].failed += record.failed
            if let durations = record.durations { statistics[index].durations.add(durations) }
        }
    }

    @inline(__always)
    private mutating func makeRoom(for index: Int) {
        while records.count <= index { records.append(Record()) }
    }
}

extension RPCServer {
    /// What became of the calls of each method, on all loops together, introspection's own
    /// included.
    public func statistics() async -> [RPCMethodStatistics] {
        await shards.statistics(of: group.loops)
    }
}

extension RPCServerShards {
    func statistics(of loops: [EventLoop]) async -> [RPCMethodStatistics] {
        var statistics = table.descriptions.map {
            RPCMethodStatistics(service: $0.service, name: $0.name)
        }
        for loop in loops {
            let records = await withCheckedContinuation { continuation in
                let willRun = loop.execute { [self] in
                    continuation.resume(returning: shard(of: loop).records)
                }
                // A loop that was shut down tells nothing any more.
                if !willRun { continuation.resume(returning: MethodRecords()) }
            }
            records.add(to: &statistics)
        }
        return statistics
    }
}

extension MethodTable {
    /// The methods by their places.
    var descriptions: [RPCMethodDescription] {
        entries.map {
            RPCMethodDescription(
                service: String(decoding: $0.service, as: UTF8.self),
                name: String(decoding: $0.method, as: UTF8.self), shape: $0.shape)
        }
    }
}

extension UnaryMethod where Request == [UInt8], Reply == [UInt8] {
    /// A method of bytes whose names are known at run time only.
    ///
    /// - Parameters:
    ///   - name: The bare name.
    ///   - service: The full name of its service.
    public init(named name: String, of service: String) {
        self.init(service: service, name: name)
    }
}
