import Glibc
import MessagePack

/// Reads MessagePack and writes what it read anew, for a comparison with other implementations.
///
/// Standard input is a sequence of cases, each a length of four bytes, big-endian, and as many
/// bytes. Each is answered by the first value in it, written anew, with its length before it; or by
/// the length 0xffffffff where that is not MessagePack, and 0xfffffffe where it ends too early.
@main
struct MessagePackRun {
    static func main() {
        while let head = read(4) {
            let length = head.reduce(0) { $0 << 8 | Int($1) }
            guard let input = read(length) else { exit(65) }
            do throws(MessagePackError) {
                if let answer = try rewritten(input) {
                    write(length: UInt32(answer.count), answer)
                } else {
                    write(length: 0xffff_fffe, [])
                }
            } catch {
                write(length: 0xffff_ffff, [])
            }
        }
        exit(0)
    }

    private static func rewritten(_ input: [UInt8]) throws(MessagePackError) -> [UInt8]? {
        // As deep as msgpack goes, which looks at the length of bytes only once they are there.
        var reader = MessagePackReader(limits: .init(depthMax: 1_024, bytesMax: .max))
        var writer = MessagePackWriter()
        var cursor = 0
        let bytes = input.span.bytes
        repeat {
            guard let token = try reader.next(in: bytes, at: &cursor) else { return nil }
            switch token {
            case .null: writer.writeNull()
            case .bool(let value): writer.write(value)
            case .integer(let value): writer.write(value)
            case .unsigned(let value): writer.write(value)
            case .float(let value): writer.write(value)
            case .double(let value): writer.write(value)
            case .string(let range): writer.write(String(decoding: input[range], as: UTF8.self))
            case .bytes(let range): writer.write(bytes.extracting(range))
            case .array(let count): writer.writeArrayHead(count: count)
            case .map(let count): writer.writeMapHead(count: count)
            case .ext(MessagePackTimestamp.type, let range):
                writer.write(
                    try MessagePackTimestamp(extensionBytes: bytes.extracting(range)))
            case .ext(let type, let range):
                writer.writeExtension(type: type, bytes.extracting(range))
            }
        } while !reader.isBetweenValues
        return writer.bytes
    }

    /// The next bytes of standard input, or `nil` where there are fewer.
    private static func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let received = bytes.withUnsafeMutableBytes {
                Glibc.read(0, $0.baseAddress?.advanced(by: filled), count - filled)
            }
            guard received > 0 else { return nil }
            filled += received
        }
        return bytes
    }

    private static func write(length: UInt32, _ bytes: [UInt8]) {
        write(withUnsafeBytes(of: length.bigEndian) { Array($0) })
        write(bytes)
    }

    private static func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            guard sent > 0 else { exit(74) }
            rest = rest.dropFirst(sent)
        }
    }
}
