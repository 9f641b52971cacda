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

    let user: String
    let loop: EventLoop
    private let fleet: Fleet
    /// The inbox's messages that it has, by their ids.
    private var known: Set<String> = []
    private var failures = 0

    init(user: String, fleet: Fleet, on loop: EventLoop) {
        self.user = user
        self.fleet = fleet
        self.loop = loop
    }

    func opened(_ connection: WebSocketConnection) {
        failures = 0
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
        case ("inbox", let mark?):
            let isNew = known.insert(mark).inserted
            let isServed = isNew && known.count == fleet.expect
            fleet.count {
                if isNew { $0.received += 1 } else { $0.duplicates += 1 }
                if isServed { $0.served += 1 }
            }
            connection.send(text: DeviceProtocol.acknowledgement(of: [mark]))
        case ("publication", _), ("message", _):
            fleet.count { $0.published += 1 }
        default:
            break
        }
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        fleet.count {
            $0.connected -= 1
            $0.lost += 1
        }
        missed()
    }

    /// Comes back after a random time, which grows while nobody is there.
    func missed() {
        failures += 1
        let most = min(.milliseconds(500) * (1 << min(failures, 6)), Self.waitMax)
        loop.schedule(after: most * Double.random(in: 0...1), ComeBack(self, fleet))
    }

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
