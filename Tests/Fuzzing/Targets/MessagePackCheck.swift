import MessagePack

/// MessagePack of a stranger: the same tokens however it is cut, a value comes back as it was, and
/// decoding it as anything at all ends in a value or an error.
enum MessagePackCheck {
    // One byte chooses limits and cuts, the rest is the stream.
    static func finding(in input: [UInt8]) -> String? {
        guard let choice = input.first else { return nil }
        let stream = Array(input[1...])
        let limits =
            choice & 1 == 0
            ? MessagePackReader.Limits()
            : MessagePackReader.Limits(depthMax: 3, elementsMax: 20, bytesMax: 40)
        let whole = said(of: stream, limits, .none)
        for cuts in [Cuts.everywhere, .seeded(choice)] {
            let parts = said(of: stream, limits, cuts)
            if parts != whole { return "\(cuts): \(parts) but whole \(whole)" }
        }
        return roundTrip(stream, limits)
    }

    private static func said(
        of stream: [UInt8], _ limits: MessagePackReader.Limits, _ cuts: Cuts
    ) -> [String] {
        var reader = MessagePackReader(limits: limits)
        var said: [String] = []
        var received: [UInt8] = []
        var cursor = 0
        cuts.forEachPiece(of: stream) { piece in
            received += piece
            // An array of its own: a read beyond it is a read out of bounds.
            let exact = Array(received)
            do throws(MessagePackError) {
                while let token = try reader.next(in: exact.span.bytes, at: &cursor) {
                    said.append("\(token) \(reader.depth)")
                }
                if reader.bytesMissing < 1 { said.append("nothing missing") }
                return true
            } catch {
                said.append("\(error)")
                return false
            }
        }
        return said
    }

    private static func roundTrip(
        _ stream: [UInt8], _ limits: MessagePackReader.Limits
    ) -> String? {
        // What is no such value throws, which is as good.
        guard
            let value = try? MessagePackDecoder(limits: limits).decode(Anything.self, from: stream),
            let encoded = try? MessagePackEncoder().encode(value)
        else { return nil }
        do {
            let again = try MessagePackDecoder().decode(Anything.self, from: encoded)
            return again == value ? nil : "\(value) came back as \(again)"
        } catch {
            return "\(value) does not come back: \(error)"
        }
    }
}

/// Whatever the format can hold.
private indirect enum Anything: Codable, Hashable {
    case null
    case bool(Bool)
    case signed(Int64)
    case unsigned(UInt64)
    /// Compared by its bits, for what is not a number is not equal to itself.
    case number(UInt64)
    case text(String)
    case bytes([UInt8])
    case moment(MessagePackTimestamp)
    case ext(MessagePackExtension)
    case list([Anything])
    case table([String: Anything])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        func read<Value: Decodable>(_ type: Value.Type) -> Value? {
            // Tried one after the other; the last one's error is thrown.
            try? value.decode(type)
        }
        if value.decodeNil() {
            self = .null
        } else if let bool = read(Bool.self) {
            self = .bool(bool)
        } else if let number = read(Int64.self) {
            self = .signed(number)
        } else if let number = read(UInt64.self) {
            self = .unsigned(number)
        } else if let number = read(Double.self) {
            self = .number(number.bitPattern)
        } else if let text = read(String.self) {
            self = .text(text)
        } else if let moment = read(MessagePackTimestamp.self) {
            self = .moment(moment)
        } else if let ext = read(MessagePackExtension.self) {
            self = .ext(ext)
        } else if let table = read([String: Anything].self) {
            self = .table(table)
        } else if let list = read([Anything].self) {
            self = .list(list)
        } else {
            self = .bytes(try value.decode([UInt8].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let it): try value.encode(it)
        case .signed(let it): try value.encode(it)
        case .unsigned(let it): try value.encode(it)
        case .number(let bits): try value.encode(Double(bitPattern: bits))
        case .text(let it): try value.encode(it)
        case .bytes(let it): try value.encode(it)
        case .moment(let it): try value.encode(it)
        case .ext(let it): try value.encode(it)
        case .list(let it): try value.encode(it)
        case .table(let it): try value.encode(it)
        }
    }
}
