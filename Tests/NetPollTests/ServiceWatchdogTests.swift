import Glibc
import NetPollTesting
import Synchronization
import Testing

@testable import NetPoll

@Suite("Signs of life to a service manager")
struct ServiceWatchdogTests {
    @Test func `signs come at the pace while all loops turn`() {
        let network = SimulatedNetwork()
        let loops = network.makeGroup(loops: 3).loops
        let signs = Mutex(0)
        ServiceWatchdog(every: .seconds(1), loops: loops) { signs.withLock { $0 += 1 } }.begin()
        network.run(for: .milliseconds(3_500))
        #expect(signs.withLock { $0 } == 4)
    }

    @Test func `a loop that is stuck holds the signs up`() {
        let (network, stuck) = (SimulatedNetwork(), SimulatedNetwork())
        let loops = network.makeGroup(loops: 1).loops + stuck.makeGroup(loops: 1).loops
        let signs = Mutex(0)
        ServiceWatchdog(every: .seconds(1), loops: loops) { signs.withLock { $0 += 1 } }.begin()
        network.run(for: .seconds(10))
        #expect(signs.withLock { $0 } == 0)
        stuck.runUntilIdle()
        #expect(signs.withLock { $0 } == 1)
        network.run(for: .seconds(10))
        #expect(signs.withLock { $0 } == 1)
        // What waits at their end would hold the loops.
        stuck.runUntilIdle()
        network.runUntilIdle()
    }

    @Test(
        arguments: [
            ("30000000", nil, 30.0), ("30000000", "\(getpid())", 30), ("1", nil, 0.000_001),
            (nil, nil, nil), ("", nil, nil), ("0", nil, nil), ("-1", nil, nil), ("1s", nil, nil),
            ("30000000", "1", nil), ("30000000", "x", nil),
        ] as [(String?, String?, Double?)])
    func `the time is what the variables allow this process`(
        time: String?, process: String?, seconds: Double?
    ) {
        let found = ServiceNotification.watchdogTime(time, process: process)
        #expect(found == seconds.map { .seconds($0) })
    }

    /// In a process of its own, for the environment is the process's.
    @Test func `without a manager that watches nothing is told`() async {
        await #expect(processExitsWith: .success) {
            let network = SimulatedNetwork()
            let group = network.makeGroup()
            unsetenv("NOTIFY_SOCKET")
            setenv("WATCHDOG_USEC", "1000000", 1)
            let withoutName = ServiceNotification.keepAlive(on: group)
            setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1)
            unsetenv("WATCHDOG_USEC")
            let withoutTime = ServiceNotification.keepAlive(on: group)
            setenv("WATCHDOG_USEC", "1000000", 1)
            let watched = ServiceNotification.keepAlive(on: group)
            #expect(!withoutName && !withoutTime && watched)
            // What waits at its end would hold its loops.
            network.runUntilIdle()
        }
    }
}
