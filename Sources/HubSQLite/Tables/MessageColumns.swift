internal import FoundationEssentials
internal import GRDB
internal import Hub

/// The columns that both kinds of messages have.
enum MessageColumns {
    static let names = "format, payload, event, sender, conflation, bytes"
    static let marks = "?, ?, ?, ?, ?, ?"

    static func values(of message: HubMessage) -> [(any DatabaseValueConvertible)?] {
        [
            Int(message.payload.format.rawValue), Data(message.payload.bytes),
            message.event.map(Data.init(name:)), message.sender.map(Data.init(name:)),
            message.key.map(Data.init(name:)), message.bytes,
        ]
    }

    /// Reads a message whose columns begin at `index`.
    static func message(in row: Row, at index: Int) throws(StoreError) -> HubMessage {
        let number: Int = row[index]
        guard let byte = UInt8(exactly: number), let format = Payload.Format(rawValue: byte) else {
            throw StoreError(.damaged, detail: "a message of format \(number)")
        }
        let payload: Data = row[index + 1]
        return HubMessage(
            Payload(Array(payload), format: format), event: text(row[index + 2]),
            sender: text(row[index + 3]), key: text(row[index + 4]))
    }

    /// The index of the size, from where a message's columns begin.
    static let sizeIndex = 5

    private static func text(_ data: Data?) -> String? {
        data.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension Data {
    /// A name's bytes.
    init(name: String) {
        self.init(name.utf8)
    }
}

extension Timestamp {
    /// The moment `duration` earlier, in milliseconds; saturates.
    func milliseconds(before duration: Duration) -> Int64 {
        (self + (.zero - duration)).milliseconds
    }
}
