import NetPoll

/// Reads the header with which a proxy begins a connection (HAProxy's PROXY protocol, versions 1 and
/// 2, §2).
///
/// Performs no I/O; incremental, linear and bounded. The header must be there: whether to expect one
/// is decided by who is connected, never by what the bytes look like.
struct ProxyHeader: Sendable {
    /// The outcome of ``read(_:at:)``.
    enum OnBytes: Hashable, Sendable {
        /// All bytes are consumed, and the header is not complete.
        case needsMore
        /// The header is complete; who the client is, or `nil` where the proxy speaks for itself or
        /// does not know.
        case client(SocketAddress?)
    }

    /// The most bytes of either version; version 1 has 107 (§2.1), and version 2 what its addresses
    /// and a certificate's fields take.
    static let bytesMax = 4 << 10
    private static let line1BytesMax = 107
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    private var bytes: [UInt8] = []
    /// Of version 2, once its first 16 bytes are here.
    private var length: Int?

    /// Reads on from `cursor`, which is advanced past what belongs to the header.
    ///
    /// - Throws: ``ProxyHeaderError``. Later calls are a programmer error.
    mutating func read(_ input: RawSpan, at cursor: inout Int) throws(ProxyHeaderError) -> OnBytes {
        while cursor < input.byteCount {
            bytes.append(input.unsafeLoad(fromByteOffset: cursor, as: UInt8.self))
            cursor += 1
            let isFirst = bytes.count == 1
            if isFirst, bytes[0] != 0x50, bytes[0] != 0x0D { throw ProxyHeaderError(.missing) }
            if bytes[0] == 0x50 {
                guard bytes.count <= Self.line1BytesMax else { throw ProxyHeaderError(.oversized) }
                if bytes.last == 0x0A { return .client(try line()) }
            } else if let client = try binary() {
                return client
            }
        }
        return .needsMore
    }

    // MARK: - Version 1

    /// `PROXY TCP4 client server port port`, or `PROXY UNKNOWN` and whatever follows.
    private func line() throws(ProxyHeaderError) -> SocketAddress? {
        guard bytes.count >= 2, bytes[bytes.count - 2] == 0x0D else {
            throw ProxyHeaderError(.malformed)
        }
        let parts = bytes.dropLast(2).split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].elementsEqual("PROXY".utf8) else {
            throw ProxyHeaderError(.missing)
        }
        if parts[1].elementsEqual("UNKNOWN".utf8) { return nil }
        let isV4 = parts[1].elementsEqual("TCP4".utf8)
        guard parts.count == 6, isV4 || parts[1].elementsEqual("TCP6".utf8),
            let port = Self.port(parts[4]), Self.port(parts[5]) != nil,
            // Its text stands in no error; the header is malformed.
            let client = try? SocketAddress(
                host: String(decoding: parts[2], as: UTF8.self), port: port)
        else { throw ProxyHeaderError(.malformed) }
        switch client {
        case .v4 where isV4, .v6 where !isV4: return client
        case .v4, .v6, .unix: throw ProxyHeaderError(.malformed)
        }
    }

    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        guard digits.count == 1 || digits.first != 0x30 else { return nil }
        return UInt16(String(decoding: digits, as: UTF8.self))
    }

    // MARK: - Version 2

    /// The outcome, once all bytes of the header are here.
    private mutating func binary() throws(ProxyHeaderError) -> OnBytes? {
        if bytes.count <= Self.signature.count {
            guard bytes.last == Self.signature[bytes.count - 1] else {
                throw ProxyHeaderError(.missing)
            }
            return nil
        }
        if bytes.count == 16 {
            let announced = Int(bytes[14]) << 8 | Int(bytes[15])
            guard announced + 16 <= Self.bytesMax else { throw ProxyHeaderError(.oversized) }
            guard bytes[12] == 0x20 || bytes[12] == 0x21 else { throw ProxyHeaderError(.malformed) }
            length = announced
        }
        guard let length, bytes.count == 16 + length else { return nil }
        // LOCAL: the proxy's own connection, such as a health check.
        if bytes[12] == 0x20 { return .client(nil) }
        return .client(try address(length))
    }

    private func address(_ length: Int) throws(ProxyHeaderError) -> SocketAddress? {
        switch bytes[13] {
        case 0x11:
            guard length >= 12 else { throw ProxyHeaderError(.malformed) }
            let host = UInt32(truncatingIfNeeded: number(at: 16, count: 4)).bigEndian
            return .v4(host, port: UInt16(truncatingIfNeeded: number(at: 24, count: 2)))
        case 0x21:
            guard length >= 36 else { throw ProxyHeaderError(.malformed) }
            return .v6(
                number(at: 16, count: 8), number(at: 24, count: 8),
                port: UInt16(truncatingIfNeeded: number(at: 48, count: 2)), scope: 0)
        // Datagrams and Unix sockets name no client of a stream; neither does what is unspecified.
        default: return nil
        }
    }

    /// A number in network order.
    private func number(at start: Int, count: Int) -> UInt64 {
        bytes[start..<(start + count)].reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// A connection of a trusted proxy that does not begin as agreed.
public struct ProxyHeaderError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// There is no PROXY header.
        case missing
        /// The header breaks its own rules.
        case malformed
        /// The header is longer than 107 bytes in version 1, or 4 KiB in version 2.
        case oversized
    }

    public let reason: Reason

    public init(_ reason: Reason) {
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .missing: "no PROXY header from a trusted proxy"
        case .malformed: "malformed PROXY header"
        case .oversized: "oversized PROXY header"
        }
    }
}
