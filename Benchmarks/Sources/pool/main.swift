// What a lease costs, alone and where 64 tasks share 8 connections, beside two pools written in an
// afternoon.
import ConnPool

let (tasks, connections) = (64, 8)

func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

@concurrent func alone(_ subject: some Subject, _ count: Int) async throws {
    for _ in 0..<count / 10 { _ = try await subject.cycle(holds: false) }
    let begun = ContinuousClock.now
    for _ in 0..<count { _ = try await subject.cycle(holds: false) }
    let each = (ContinuousClock.now - begun) / .nanoseconds(1) / Double(count)
    print("case=alone", "ns=\(rounded(each))", "subject=\(subject.name)", separator: "\t")
}

@concurrent func shared(_ subject: some Subject, _ count: Int) async throws {
    let begun = ContinuousClock.now
    let waits = try await withThrowingTaskGroup(of: [Double].self) { group in
        for _ in 0..<tasks {
            group.addTask {
                var waits: [Double] = []
                waits.reserveCapacity(count)
                for _ in 0..<count {
                    let asked = ContinuousClock.now
                    let leased = try await subject.cycle(holds: true)
                    waits.append((leased - asked) / .microseconds(1))
                }
                return waits
            }
        }
        return try await group.reduce(into: []) { $0 += $1 }.sorted()
    }
    let rate = Double(waits.count) / ((ContinuousClock.now - begun) / .seconds(1))
    let median = waits[waits.count / 2]
    let worst = waits[waits.count - 1]
    print(
        "case=shared", "rate=\(rate.rounded())", "median_us=\(rounded(median))",
        "p99_us=\(rounded(waits[waits.count * 99 / 100]))", "worst_us=\(rounded(worst))",
        "subject=\(subject.name)", separator: "\t")
}

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 5_000
let pool = try await LongwirePool(connections: connections)
let endpoints = try await LongwireEndpoints(connections: connections)
let (actor, mutex) = (ActorPool(connections: connections), MutexPool(connections: connections))
try await alone(pool, 100 * count)
try await alone(endpoints, 100 * count)
try await alone(actor, 100 * count)
try await alone(mutex, 100 * count)
try await shared(pool, count)
try await shared(endpoints, count)
try await shared(actor, count)
try await shared(mutex, count)
await pool.pool.close()
await endpoints.pool.close()
