public import NetPoll

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, a single address, or `unix` for Unix sockets.
public struct AddressRange: Hashable, Sendable {
    private enum Bits: Hashable, Sendable {
        case v4(UInt32, prefix: Int)
        case v6(UInt64, UInt64, prefix: Int)
        case unix
    }

    private let bits: Bits

    /// Reads a range in CIDR notation (RFC 4632 §3.1); bits behind the prefix do not matter.
    ///
    /// - Throws: ``AddressRangeError`` where `text` is none.
    public init(_ text: String) throws(AddressRangeError) {
        if text == "unix" {
            bits = .unix
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let host = parts.first, parts.count <= 2,
            // What is no address is no range either; the error says which text it was.
            let address = try? SocketAddress(host: String(host), port: 0)
        else { throw AddressRangeError(text: text) }
        let (v4, v6) = (address.v4Bits, address.v6Bits)
        let most = v4 != nil ? 32 : 128
        var prefix = most
        if parts.count == 2 {
            let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
            guard parts[1].utf8.allSatisfy({ digits.contains($0) }), let number = Int(parts[1]),
                number <= most
            else { throw AddressRangeError(text: text) }
            prefix = number
        }
        if let v4 {
            bits = .v4(v4 & Self.mask(prefix), prefix: prefix)
        } else if let v6 {
            bits = .v6(
                v6.high & Self.mask(min(prefix, 64)), v6.low & Self.mask(max(prefix - 64, 0)),
                prefix: prefix)
        } else {
            throw AddressRangeError(text: text)
        }
    }

    /// Whether `address` is in the range, whatever its port.
    ///
    /// An IPv4 address that came over an IPv6 socket (`::ffff:10.0.0.1`) is in the ranges of IPv4.
    public func contains(_ address: SocketAddress) -> Bool {
        switch bits {
        case .v4(let network, let prefix):
            return address.v4Bits.map { $0 & Self.mask(prefix) == network } ?? false
        case .v6(let high, let low, let prefix):
            guard let bits = address.v6Bits else { return false }
            return bits.high & Self.mask(min(prefix, 64)) == high
                && bits.low & Self.mask(max(prefix - 64, 0)) == low
        case .unix:
            if case .unix = address { return true }
            return false
        }
    }

    private static func mask<Bits: FixedWidthInteger>(_ prefix: Int) -> Bits {
        prefix == 0 ? 0 : ~0 << (Bits.bitWidth - prefix)
    }
}

/// A text that is no range of addresses.
public struct AddressRangeError: Error, Hashable, Sendable, CustomStringConvertible {
    public let text: String

    public init(text: String) {
        self.text = text
    }

    public var description: String {
        "\"\(text)\" is no address, no range such as 10.0.0.0/8 and not \"unix\""
    }
}

extension SocketAddress {
    /// The host of IPv4, also where it came over IPv6 (RFC 4291 §2.5.5.2).
    var v4Bits: UInt32? {
        switch self {
        case .v4(let host, _): UInt32(bigEndian: host)
        case .v6(0, let low, _, _) where low >> 32 == 0xffff: UInt32(truncatingIfNeeded: low)
        case .v6, .unix: nil
        }
    }

    /// The host of IPv6 that is not IPv4.
    var v6Bits: (high: UInt64, low: UInt64)? {
        guard v4Bits == nil, case .v6(let high, let low, _, _) = self else { return nil }
        return (high, low)
    }
}
