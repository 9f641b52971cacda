import Glibc
import Hub
import HubSQLite

/// Writes into a store until it is killed, and tells what was answered; or looks whether that is there.
///
///     store-run write PATH ROUND     a line for each answered message
///     store-run check PATH           reads such lines and exits with 1 where one is missing
@main
struct StoreRun {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)

    static func main() async throws {
        let arguments = CommandLine.arguments
        switch (arguments.count, arguments.dropFirst().first) {
        case (4, "write"): try await write(path: arguments[2], round: arguments[3])
        case (3, "check"): try await check(path: arguments[2])
        default:
            tell("usage: store-run write PATH ROUND | store-run check PATH\n", to: STDERR_FILENO)
            exit(64)
        }
    }

    private static func write(path: String, round: String) async throws {
        let store = try SQLiteMessageStore(path: path)
        await withTaskGroup { group in
            for writer in 0..<8 {
                group.addTask {
                    var number = 0
                    while true {
                        let text = "\(round)/\(writer)/\(number)"
                        number += 1
                        do {
                            try await append(text, to: "topic \(writer % 3)", in: store)
                            try await deposit(text, for: "user \(writer % 5)", in: store)
                        } catch {
                            tell("\(error)\n", to: STDERR_FILENO)
                            exit(1)
                        }
                    }
                }
            }
        }
    }

    private static func append(
        _ text: String, to topic: String, in store: SQLiteMessageStore
    ) async throws {
        var entry = HistoryAppend(
            topic: topic, message: HubMessage(text: text), epochIfNew: Epoch(rawValue: 1))
        entry.limits.messagesMax = .max
        entry.limits.bytesMax = .max
        let position = try await store.append([entry], at: now)[0].position
        tell("h\t\(topic)\t\(position.offset)\t\(text)\n")
    }

    private static func deposit(
        _ text: String, for user: String, in store: SQLiteMessageStore
    ) async throws {
        var entry = InboxDeposit(user: user, message: HubMessage(text: text))
        entry.limits.messagesMax = .max
        entry.limits.bytesMax = .max
        guard case .stored(let id) = try await store.deposit([entry], at: now)[0] else {
            throw StoreError(.full)
        }
        tell("i\t\(user)\t\(id)\t\(text)\n")
    }

    /// One write each, so that no line is lost in a buffer or mixed with another.
    private static func tell(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
        let bytes = Array(line.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }

    private static func check(path: String) async throws {
        let store = try SQLiteMessageStore(path: path)
        var found: Set<String> = []
        for number in 0..<3 { found.formUnion(try await history("topic \(number)", in: store)) }
        for number in 0..<5 { found.formUnion(try await inbox("user \(number)", in: store)) }
        var answered = 0
        var missing = 0
        while let line = readLine() {
            answered += 1
            guard !found.contains(line) else { continue }
            missing += 1
            print("missing: \(line)")
        }
        print("answered \(answered), stored \(found.count), missing \(missing)")
        await store.close()
        exit(missing == 0 ? 0 : 1)
    }

    private static func history(
        _ topic: String, in store: SQLiteMessageStore
    ) async throws -> [String] {
        var lines: [String] = []
        var position = TopicPosition(epoch: Epoch(rawValue: 1), offset: 0)
        while let page = try await store.history(
            of: topic, after: position, limit: PageLimit(messagesMax: 1_000), at: now)
        {
            for message in page.messages {
                // Offsets have no gap, whatever was killed when.
                guard message.offset == position.offset + 1 else {
                    print("gap in \(topic) before \(message.offset)")
                    exit(1)
                }
                position.offset = message.offset
                lines.append("h\t\(topic)\t\(message.offset)\t\(message.message.payload.text)")
            }
            if !page.hasMore { break }
        }
        return lines
    }

    private static func inbox(
        _ user: String, in store: SQLiteMessageStore
    ) async throws -> [String] {
        var lines: [String] = []
        var last: InboxID?
        while true {
            let page = try await store.unacknowledged(
                of: user, after: last, limit: PageLimit(messagesMax: 1_000), at: now)
            lines += page.messages.map { "i\t\(user)\t\($0.id)\t\($0.message.payload.text)" }
            last = page.messages.last?.id ?? last
            if !page.hasMore { return lines }
        }
    }
}
