public import WSFrame

// What a request says beside its path: in its query, its cookies and its authorization. All of it is read
// and compared by bytes: a character that the client chose may combine with a separator, or be another form
// of one.
extension HTTPRequest {
    /// The first value of that name in the query, decoded as forms are encoded: `+` is a space, and
    /// `%41` an A.
    ///
    /// `nil` where the query has none of that name, or one that cannot be decoded. Names are compared byte by
    /// byte. Complexity: O(bytes of the query).
    public func queryValue(_ name: String) -> String? {
        for field in (query ?? "").utf8.split(separator: UInt8(ascii: "&")) {
            let parts = field.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let found = Self.decode(parts[0]), found.utf8.elementsEqual(name.utf8) else {
                continue
            }
            return parts.count > 1 ? Self.decode(parts[1]) : ""
        }
        return nil
    }

    /// The value of the first cookie of that name, without the quotes around it (RFC 6265 §5.4); `nil`
    /// where there is none.
    ///
    /// Names are compared byte by byte. Complexity: O(bytes of the cookies).
    public func cookie(_ name: String) -> String? {
        let quote = UInt8(ascii: "\"")
        for list in headers("Cookie") {
            for cookie in list.utf8.split(separator: UInt8(ascii: ";")) {
                let parts = cookie.drop { $0 == UInt8(ascii: " ") }.split(
                    separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, parts[0].elementsEqual(name.utf8) else { continue }
                let value = parts[1]
                let isQuoted = value.count >= 2 && value.first == quote && value.last == quote
                return String(Substring(isQuoted ? value.dropFirst().dropLast() : value))
            }
        }
        return nil
    }

    /// The token of `Authorization: Bearer …` (RFC 6750 §2.1); `nil` where there is none.
    public var bearerToken: String? {
        guard let value = header("Authorization") else { return nil }
        let parts = value.utf8.split(separator: UInt8(ascii: " "))
        guard parts.count == 2,
            parts[0].elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 })
        else { return nil }
        return String(Substring(parts[1]))
    }

    private static func decode(_ encoded: Substring.UTF8View) -> String? {
        guard encoded.contains(UInt8(ascii: "+")) else {
            return PercentDecoding.decode(Substring(encoded))
        }
        let spaced = encoded.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
        return PercentDecoding.decode(String(decoding: spaced, as: UTF8.self)[...])
    }
}

extension Substring.UTF8View {
    /// Without white space at either end (RFC 9110 §5.6.3).
    var trimmed: Substring.UTF8View {
        var rest = drop { $0 == 0x20 || $0 == 0x09 }
        while let last = rest.last, last == 0x20 || last == 0x09 { rest.removeLast() }
        return rest
    }
}
