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

// Sending from tasks, on the loop.
extension AsyncWebSocketCore {
    /// The longest message that always fits behind what may wait already, with room for the pongs
    /// that a slow peer asks for.
    var messageBytesMax: Int {
        guard let limits = webSocket?.connection.limits else { return .max }
        return max(0, limits.sendQueueBytesMax - limits.highWatermark - (4 << 10))
    }

    /// What became of a send, once the kernel was offered what waits.
    @inline(__always)
    func settled(_ outcome: WriteOutcome) -> WriteOutcome {
        guard outcome == .accepted, let webSocket else { return outcome }
        return webSocket.connection.isAboveHighWatermark() ? .aboveHighWatermark : .accepted
    }

    /// Sends in turn, behind what other tasks wait to send.
    func send(_ message: Outgoing) async throws(WebSocketError) {
        if !writers.isFree {
            repeat {
                await withUnsafeContinuation { (waiter: Waiter) in
                    if writers.isFree || webSocket?.isOpen != true {
                        waiter.resume()
                    } else {
                        writers.append(waiter)
                    }
                }
            } while writers.isWriting && webSocket?.isOpen == true
        }
        // A closed WebSocket's senders all go on, to be told so here.
        writers.begin()
        defer { writers.end() }
        guard let webSocket else { throw error }
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
        switch settled(outcome) {
        case .accepted: return
        case .aboveHighWatermark: await waitForRoom()
        case .closed, .refused: throw await errorAtEnd()
        }
    }

    /// Waits for room after a send that did not have to wait for others.
    func waitForRoomAlone() async {
        writers.begin()
        await waitForRoom()
        writers.end()
    }

    /// Waits until the queue fell to its low watermark, or the WebSocket ended.
    private func waitForRoom() async {
        await withUnsafeContinuation { (waiter: Waiter) in
            guard let connection = webSocket?.connection, connection.isOpen,
                connection.queuedBytes > connection.limits.lowWatermark
            else {
                waiter.resume()
                return
            }
            connection.awaitFall()
            writers.prepend(waiter)
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
