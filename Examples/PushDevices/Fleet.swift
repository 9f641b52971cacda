import PushWire
import Hub
import NetPoll
import Synchronization
import WSFrame
import WSTransport

/// The devices, spread over the loops, and what they counted.
final class Fleet: Sendable {
    /// What all devices have seen.
    struct Counts {
        var connected = 0
        var connects = 0
        var received = 0
        var duplicates = 0
        var published = 0
        var lost = 0
        /// Devices that have all they wait for.
        var served = 0
    }

    let prefix: String
    let topic: String?
    let expect: Int?
    private let url: String
    private let signer: Signer?
    private let group: EventLoopGroup
    private let client: WebSocketClient
    private let count: Int
    private let connecting: Int
    private let counts = Mutex(Counts())
    /// Devices that wait for their turn to connect.
    private let waiting = Mutex<[Device]>([])

    init(
        url: String, prefix: String, topic: String?, signer: Signer?, group: EventLoopGroup,
        limits: (count: Int, connecting: Int, expect: Int?)
    ) {
        self.url = url
        self.prefix = prefix
        self.topic = topic
        self.signer = signer
        self.group = group
        (count, connecting, expect) = limits
        client = WebSocketClient(group: group)
    }

    /// Makes the devices, and connects so many of them at a time.
    func start() {
        let devices = (0..<count).map { number in
            Device(
                user: "\(prefix)\(number)", fleet: self,
                on: group.loops[number % group.loops.count])
        }
        waiting.withLock { $0 = devices.reversed() }
        for _ in 0..<min(connecting, count) { connectNext() }
    }

    /// A device has its answer: the next one may connect.
    func connectNext() {
        let next = waiting.withLock { $0.popLast() }
        if let next { connect(next) }
    }

    /// Lets a device come back when its time has come.
    func queue(_ device: Device) {
        waiting.withLock { $0.insert(device, at: 0) }
        connectNext()
    }

    private func connect(_ device: Device) {
        Task(executorPreference: device.loop) {
            do {
                let request = try await self.request(of: device.user)
                device.loop.execute {
                    self.client.connect(request, on: device.loop, handler: device) { result in
                        if case .failure = result { device.missed() }
                        self.connectNext()
                    }
                }
            } catch {
                device.loop.execute { device.missed() }
                self.connectNext()
            }
        }
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

    func count(_ change: (inout Counts) -> Void) { counts.withLock { change(&$0) } }

    /// Tells each second how it stands, until all have what they wait for or the time is over.
    ///
    /// - Returns: Whether all have it.
    func watch(seconds: Int) async -> Bool {
        var passed = 0
        while seconds == 0 || passed < seconds {
            do { try await Task.sleep(for: .seconds(1)) } catch { return false }
            passed += 1
            print(summary)
            if expect != nil, counts.withLock({ $0.served }) == count { return true }
        }
        return expect == nil
    }

    var summary: String {
        let counts = counts.withLock { $0 }
        return "connected=\(counts.connected) connects=\(counts.connects) lost=\(counts.lost) "
            + "received=\(counts.received) duplicates=\(counts.duplicates) "
            + "published=\(counts.published) served=\(counts.served)"
    }
}
