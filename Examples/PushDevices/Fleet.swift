import PushWire
import Hub
import NetPoll
import Synchronization
import WSFrame
import WSTransport

/// The devices, spread over the loops, and what they counted.
final class Fleet: Sendable {
    /// How many devices there are, and what they do.
    struct Plan: Sendable {
        var count = 1
        /// Devices that connect at a time.
        var connecting = 1
        /// Devices that connect for the first time, a second; 0 for no bound.
        var ramp = 0
        /// Of every hundred devices the last so many acknowledge nothing.
        var silentPercent = 0
        /// Of every hundred devices the first so many go away once they were welcomed.
        var offlinePercent = 0
        /// How long they stay away; `nil` for until ``Fleet/comeBack()``.
        var away: Duration?
        /// Messages that each device waits for.
        var expect: Int?

        func habit(of number: Int) -> Habit {
            Habit(
                acknowledges: number % 100 < 100 - silentPercent,
                leaves: number % 100 < offlinePercent)
        }
    }

    let prefix: String
    let topic: String?
    let plan: Plan
    private let url: String
    private let signer: Signer?
    private let group: EventLoopGroup
    private let client: WebSocketClient
    private let counts = Mutex(Counts())
    private let waiting: Mutex<Queue>
    /// Devices that have gone away, by their numbers.
    private let away = Mutex<[Int: Device]>([:])

    init(
        url: String, prefix: String, topic: String?, signer: Signer?, group: EventLoopGroup,
        plan: Plan
    ) {
        self.url = url
        self.prefix = prefix
        self.topic = topic
        self.signer = signer
        self.group = group
        self.plan = plan
        waiting = Mutex(Queue(free: plan.connecting))
        client = WebSocketClient(group: group)
    }

    /// Makes the devices, and lets them connect, so many a second where there is a ramp.
    func start() async throws {
        let began = ContinuousClock.now
        // Twenty-five steps a second.
        let step = max(1, plan.ramp / 25)
        for number in 0..<plan.count {
            if plan.ramp > 0, number.isMultiple(of: step) {
                let due = Duration.seconds(Double(number) / Double(plan.ramp))
                try await Task.sleep(until: began + due, clock: .continuous)
            }
            queue(
                Device(
                    number: number, habit: plan.habit(of: number), fleet: self,
                    on: group.loops[number % group.loops.count]))
        }
    }

    /// Lets a device connect when its turn has come.
    func queue(_ device: Device) {
        waiting.withLock { $0.add(device) }
        connectNext()
    }

    private func connectNext() {
        let next = waiting.withLock { $0.next() }
        if let next { connect(next) }
    }

    private func connect(_ device: Device) {
        Task(executorPreference: device.loop) {
            do {
                let request = try await self.request(of: "\(self.prefix)\(device.number)")
                device.loop.execute {
                    self.client.connect(request, on: device.loop, handler: device) { result in
                        if case .failure = result { device.missed() }
                        self.answered()
                    }
                }
            } catch {
                device.loop.execute { device.missed() }
                self.answered()
            }
        }
    }

    private func answered() {
        waiting.withLock { $0.answered() }
        connectNext()
    }

    private func request(of user: String) async throws -> WebSocketRequest {
        var target = url
        if let signer {
            let now = Timestamp(milliseconds: Inputs.milliseconds())
            target += "?token=\(try await signer.token(for: user, topic: topic, at: now))"
        } else {
            target += "?user=\(user)&device=simulated"
        }
        var request = try WebSocketRequest(url: target)
        request.subprotocols = [DeviceProtocol.name]
        return request
    }

    // MARK: - Going away

    /// A device has gone away by itself.
    func left(_ device: Device) {
        away.withLock { $0[device.number] = device }
        guard let time = plan.away else { return }
        device.loop.schedule(after: time, Return(device, self))
    }

    /// Lets all that have gone away come back.
    func comeBack() {
        let numbers = away.withLock { $0.keys.sorted() }
        for number in numbers { comeBack(number) }
    }

    fileprivate func comeBack(_ number: Int) {
        guard let device = away.withLock({ $0.removeValue(forKey: number) }) else { return }
        count { $0.away -= 1 }
        queue(device)
    }

    // MARK: - Counting

    func count(_ change: (inout Counts) -> Void) { counts.withLock { change(&$0) } }

    /// Tells each second how it stands, until all have what they wait for or the time is over.
    ///
    /// - Returns: Whether all have it.
    func watch(seconds: Int) async -> Bool {
        var passed = 0
        while seconds == 0 || passed < seconds {
            do { try await Task.sleep(for: .seconds(1)) } catch { return false }
            passed += 1
            Output.line(summary)
            if plan.expect != nil, counts.withLock({ $0.served }) == plan.count { return true }
        }
        return plan.expect == nil
    }

    var summary: String { "\(counts.withLock { $0 })" }
}

private final class Return: TimerTarget {
    private let device: Device
    private let fleet: Fleet

    init(_ device: Device, _ fleet: Fleet) {
        self.device = device
        self.fleet = fleet
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        fleet.comeBack(device.number)
    }
}
