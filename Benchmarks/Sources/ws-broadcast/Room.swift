import WSFrame
import WSTransport

/// Sends every message to every member, encoded once.
///
/// `@unchecked Sendable`: the server has one loop, and only that loop calls a handler.
final class Room: WebSocketHandler, @unchecked Sendable {
    private var members: [WebSocketConnection] = []
    private var places: [ObjectIdentifier: Int] = [:]

    func opened(_ connection: WebSocketConnection) {
        places[ObjectIdentifier(connection)] = members.count
        members.append(connection)
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        let prepared = PreparedMessage(message, kind: kind)
        for member in members {
            member.send(prepared)
        }
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        guard let place = places.removeValue(forKey: ObjectIdentifier(connection)) else { return }
        let last = members.removeLast()
        guard place < members.count else { return }
        members[place] = last
        places[ObjectIdentifier(last)] = place
    }
}
