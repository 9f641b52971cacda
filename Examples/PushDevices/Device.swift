import Hub
import NetPoll
import PushWire
import WSFrame
import WSTransport

/// One device: speaks JSON, acknowledges what comes to its inbox, and comes back when it is lost.
///
/// Touched on its loop only, once it is connected.
final class Device: WebSocketHandler, @unchecked Sendable {
    private static let waitMax = Duration.seconds(15)

    let number: Int
    let loop: EventLoop
    private let fleet: Fleet
    private let habit: Habit
    /// It goes away, or has gone, and has not come back.
    private var isLeaving: Bool
    /// The inbox's messages that it has, by their ids.
    private var known: Set<String> = []
    private var failures = 0
    /// When the server wants it back.
    private var wished: Duration?

    init(number: Int, habit: Habit, fleet: Fleet, on loop: EventLoop) {
        self.number = number
        self.habit = habit
        self.fleet = fleet
        self.loop = loop
        isLeaving = habit.leaves
    }

    func opened(_ connection: WebSocketConnection) {
        failures = 0
        wished = nil
        fleet.count {
            $0.connected += 1
            $0.connects += 1
        }
        guard let topic = fleet.topic else { return }
        connection.send(text: DeviceProtocol.subscription(to: topic))
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        guard let heard = DeviceProtocol.heard(message, kind: kind) else {
            return connection.close(.protocolError, reason: "not push.v1.json")
        }
        switch (heard.type, heard.inbox) {
        case ("welcome", _):
            if isLeaving { connection.close(.goingAway) }
        case ("inbox", let mark?):
            received(mark, on: connection)
        case ("publication", _), ("message", _):
            fleet.count { $0.published += 1 }
        case ("reconnect", _):
            wished = heard.after.map { .milliseconds($0) }
        default:
            break
        }
    }

    private func received(_ mark: String, on connection: WebSocketConnection) {
        let isNew = known.insert(mark).inserted
        let isServed = isNew && known.count == fleet.plan.expect
        let acknowledges = habit.acknowledges
        fleet.count {
            if isNew { $0.received += 1 } else { $0.duplicates += 1 }
            if isServed { $0.served += 1 }
            if acknowledges { $0.acknowledged += 1 }
        }
        guard acknowledges else { return }
        connection.send(text: DeviceProtocol.acknowledgement(of: [mark]))
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        let leaves = isLeaving
        fleet.count {
            $0.connected -= 1
            if leaves { $0.away += 1 } else { $0.lost += 1 }
        }
        guard leaves else { return missed() }
        isLeaving = false
        fleet.left(self)
    }

    /// Comes back after the time that the server wished, or a random one, which grows while nobody is there.
    func missed() {
        failures += 1
        let most = min(.milliseconds(500) * (1 << min(failures, 6)), Self.waitMax)
        let wait = wished ?? most * Double.random(in: 0...1)
        wished = nil
        loop.schedule(after: wait, ComeBack(self, fleet))
    }
}

/// What a device does, and what it does not.
struct Habit: Sendable {
    /// Whether it acknowledges what comes to its inbox.
    var acknowledges = true
    /// Whether it goes away once it was welcomed, and comes back later.
    var leaves = false
}

private final class ComeBack: TimerTarget {
    private let device: Device
    private let fleet: Fleet

    init(_ device: Device, _ fleet: Fleet) {
        self.device = device
        self.fleet = fleet
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        fleet.queue(device)
    }
}
