import Hub
import NetPoll
import Synchronization

/// Answers which rooms there are.
///
/// Where there are many, the answer is up to a second old, so that asking often does not cost much.
final class RoomDirectory: Sendable {
    private static let roomsListedMax = 100
    private static let roomsCountedEachTime = 500
    private static let refreshedAfter = Duration.seconds(1)

    private struct Answer {
        let rooms: [ChatMessages.Room]
        let time: Instant
    }

    private let last = Mutex<Answer?>(nil)

    func rooms(of hub: HubServer, at now: Instant) -> [ChatMessages.Room] {
        if let last = last.withLock({ $0 }), now - last.time < Self.refreshedAfter {
            return last.rooms
        }
        let topics = hub.topics
        let rooms = topics.lazy
            .map { ChatMessages.Room(room: $0.name, count: $0.userCount) }
            .filter { $0.count > 0 }
            .sorted {
                guard $0.count == $1.count else { return $0.count > $1.count }
                return $0.room.utf8.lexicographicallyPrecedes($1.room.utf8)
            }
        let listed = Array(rooms.prefix(Self.roomsListedMax))
        if topics.count > Self.roomsCountedEachTime {
            last.withLock { $0 = Answer(rooms: listed, time: now) }
        }
        return listed
    }
}
