import NetPoll
import WSFrame

/// A message on its way from another thread, or waiting for its turn.
enum Outgoing: Sendable {
    case copy([UInt8], MessageKind, MessageCompression)
    case received(WebSocketMessage, MessageCompression)
    case prepared(PreparedMessage)

    var byteCount: Int {
        switch self {
        case .copy(let bytes, _, _): bytes.count
        case .received(let message, _): message.bytes.count
        case .prepared(let message): message.payload.count
        }
    }
}

// Sending for tasks, on the loop.
extension AsyncWebSocketCore {
    typealias Sender = SenderLine.Sender

    /// The longest message that always fits behind what may wait already, with room for the pongs
    /// that a slow peer asks for.
    var messageBytesMax: Int {
        guard let limits = webSocket?.connection.limits else { return .max }
        return max(0, limits.sendQueueBytesMax - limits.highWatermark - (4 << 10))
    }

    /// What became of a send, once the kernel was offered what waits.
    @inline(__always)
    func settled(_ outcome: WriteOutcome) -> WriteOutcome {
        switch outcome {
        case .accepted, .aboveHighWatermark:
            guard let connection = webSocket?.connection, connection.isAboveHighWatermark() else {
                return .accepted
            }
            senders.isFull = true
            connection.awaitFall()
            return .aboveHighWatermark
        case .closed, .refused: return outcome
        }
    }

    /// Sends in turn, behind what other tasks wait to send.
    func send(_ message: Outgoing, _ sender: Sender) {
        let (count, most) = (message.byteCount, messageBytesMax)
        guard count <= most else {
            return sender.resume(returning: .messageTooLong(bytes: count, max: most))
        }
        guard senders.isFree || webSocket?.isOpen != true else {
            return senders.append(.forTurn(message), sender)
        }
        sendNow(message, sender)
    }

    private func sendNow(_ message: Outgoing, _ sender: Sender) {
        guard let webSocket else { return sender.resume(returning: error) }
        let outcome: WriteOutcome =
            switch message {
            case .copy(let bytes, let kind, let compression):
                webSocket.send(bytes.span.bytes, kind: kind, compression: compression)
            case .received(let message, let compression):
                message.bytes.withBytes {
                    webSocket.send($0, kind: message.kind, compression: compression)
                }
            case .prepared(let message): webSocket.send(message)
            }
        wait(settled(outcome), sender)
    }

    /// Lets the task of a message go on, once that is settled.
    func wait(_ outcome: WriteOutcome, _ sender: Sender) {
        switch outcome {
        case .aboveHighWatermark where senders.isFull: senders.prepend(.forRoom, sender)
        case .accepted, .aboveHighWatermark: sender.resume(returning: nil)
        case .closed, .refused:
            // A transport that is lost tells why soon.
            guard webSocket?.connection.isEnded == true else {
                return sender.resume(returning: error)
            }
            senders.append(.forEnd, sender)
        }
    }

    /// The queue fell to its low watermark: sends on.
    func resumeSenders() {
        senders.isFull = false
        while let (waiting, sender) = senders.next() {
            switch waiting {
            case .forRoom: sender.resume(returning: nil)
            case .forTurn(let message): sendNow(message, sender)
            case .forEnd: sender.resume(returning: error)
            }
        }
    }

    /// Pings, on the loop.
    func ping(_ number: UInt64, _ payload: [UInt8], _ waiter: PingLine.Waiter) {
        guard let webSocket else {
            waiter.resume(returning: .failure(error))
            return
        }
        let outcome = webSocket.ping(payload.span.bytes)
        // A transport that is lost tells so soon, and this ping with the others.
        let isTaken = outcome != .closed && outcome != .refused
        guard isTaken || webSocket.connection.isEnded else {
            waiter.resume(returning: .failure(error))
            return
        }
        pings.append(number, payload, waiter, at: loop.now)
    }
}
