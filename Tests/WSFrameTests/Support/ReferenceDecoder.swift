import WSFrame

/// RFC 6455 as plainly as it can be written: a whole stream at once, byte by byte, no limits but
/// the default.
struct ReferenceDecoder {
    private let stream: [UInt8]
    private let role: Role
    private var position = 0
    private var message: (kind: MessageKind, bytes: [UInt8])?
    private var observed: [Observed] = []

    static func events(of stream: [UInt8], role: Role = .server) -> [Observed] {
        var decoder = ReferenceDecoder(stream: stream, role: role)
        while decoder.frame() {}
        return decoder.observed
    }

    private init(stream: [UInt8], role: Role) {
        self.role = role
        self.stream = stream
    }

    private mutating func byte() -> UInt8? {
        guard position < stream.count else { return nil }
        position += 1
        return stream[position - 1]
    }

    private mutating func failed(_ reason: ProtocolViolation.Reason) -> Bool {
        observed.append(.violation(reason))
        return false
    }

    /// Reads a frame; `false` if the stream or the connection ends.
    private mutating func frame() -> Bool {
        guard let first = byte() else { return false }
        let isFinal = first >= 0x80
        let opcode = first % 16
        if first / 16 % 8 != 0 { return failed(.reservedBits) }
        if ![0, 1, 2, 8, 9, 10].contains(opcode) {
            return failed(.reservedOpcode(Opcode(rawValue: opcode)))
        }
        if opcode >= 8, !isFinal { return failed(.fragmentedControlFrame) }
        guard let second = byte() else { return false }
        if role == .server, second < 0x80 { return failed(.unmaskedFrame) }
        if role == .client, second >= 0x80 { return failed(.maskedFrame) }
        var length = UInt64(second % 128)
        if opcode >= 8, length > 125 { return failed(.oversizedControlFrame) }
        if length >= 126 {
            let isShort = length == 126
            length = 0
            for _ in 0..<(isShort ? 2 : 8) {
                guard let next = byte() else { return false }
                length = length * 256 + UInt64(next)
            }
            if length >= 1 << 63 { return failed(.lengthOverflow) }
            if length < (isShort ? 126 : 65536) { return failed(.nonMinimalLength) }
        }
        if length > 1 << 20 { return failed(.oversizedFrame(bytes: length, max: 1 << 20)) }
        var key: [UInt8] = []
        for _ in 0..<4 {
            guard role == .server else {
                key.append(0)
                continue
            }
            guard let next = byte() else { return false }
            key.append(next)
        }
        if opcode == 0, message == nil { return failed(.unexpectedContinuation) }
        if opcode == 1 || opcode == 2, message != nil { return failed(.unfinishedMessage) }
        return payload(opcode: opcode, isFinal: isFinal, length: Int(length), key: key)
    }

    private mutating func payload(
        opcode: UInt8,
        isFinal: Bool,
        length: Int,
        key: [UInt8]
    ) -> Bool {
        if let kind = MessageKind(rawValue: opcode) { message = (kind, []) }
        if opcode < 8, let total = message.map({ $0.bytes.count + length }), total > 1 << 20 {
            return failed(.oversizedMessage(bytes: UInt64(total), max: 1 << 20))
        }
        var control: [UInt8] = []
        for index in 0..<length {
            guard let next = byte() else { return false }
            let plain = next ^ key[index % 4]
            if opcode >= 8 {
                control.append(plain)
                continue
            }
            message?.bytes.append(plain)
            if let message, message.kind == .text, !Self.canBeginUTF8(message.bytes) {
                return failed(.invalidText)
            }
        }
        if opcode >= 8 { return controlled(opcode, control) }
        guard isFinal, let message else { return true }
        if message.kind == .text, String(validating: message.bytes, as: UTF8.self) == nil {
            return failed(.invalidText)
        }
        observed.append(.message(message.kind, message.bytes))
        self.message = nil
        return true
    }

    private mutating func controlled(_ opcode: UInt8, _ bytes: [UInt8]) -> Bool {
        if opcode == 9 { observed.append(.ping(bytes)) }
        if opcode == 10 { observed.append(.pong(bytes)) }
        guard opcode == 8 else { return true }
        if bytes.isEmpty {
            observed.append(.close(nil, [], .echo))
            return false
        }
        if bytes.count == 1 { return failed(.truncatedCloseCode) }
        let number = UInt16(bytes[0]) * 256 + UInt16(bytes[1])
        let code = CloseCode(rawValue: number)
        let isValid =
            number >= 1000 && number <= 1014 && ![1004, 1005, 1006].contains(number)
            || number >= 3000 && number <= 4999
        if !isValid { return failed(.invalidCloseCode(code)) }
        let reason = Array(bytes.dropFirst(2))
        if String(validating: reason, as: UTF8.self) == nil { return failed(.invalidCloseReason) }
        observed.append(.close(code, reason, .echo))
        return false
    }

    /// Whether some continuation makes `bytes` valid: the standard library decides, by trying a few
    /// tails.
    static func canBeginUTF8(_ bytes: [UInt8]) -> Bool {
        // Only the last two characters matter: the one before must be whole, the last may be open.
        let tail = Array(bytes.suffix(8))
        let leads = tail.indices.filter { tail[$0] < 0x80 || tail[$0] >= 0xC0 }
        let open = Array(tail[(leads.last ?? 0)...])
        if leads.count > 1 {
            let before = tail[leads[leads.count - 2]..<leads[leads.count - 1]]
            if String(validating: before, as: UTF8.self) == nil { return false }
        }
        let tails: [[UInt8]] = [
            [], [0x80], [0xBF], [0x80, 0x80], [0xBF, 0x80], [0x90, 0x80],
            [0x80, 0x80, 0x80], [0xBF, 0x80, 0x80], [0x90, 0x80, 0x80],
        ]
        return tails.contains { String(validating: open + $0, as: UTF8.self) != nil }
            && (open.first.map { $0 < 0x80 || $0 >= 0xC0 } ?? true)
    }
}
