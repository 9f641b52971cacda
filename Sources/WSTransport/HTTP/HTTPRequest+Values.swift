public import WSFrame

// What a request says beside its path: in its query, its cookies and its authorization.
extension HTTPRequest {
    /// The first value of that name in the query, decoded as forms are encoded: `+` is a space, and
    /// `%41` an A.
    ///
    /// `nil` where the query has none of that name, or one that cannot be decoded. Complexity: O(bytes
    /// of the query).
    public func queryValue(_ name: String) -> String? {
        for field in (query ?? "").split(separator: "&") {
            let parts = field.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard Self.decode(parts[0]) == name else { continue }
            return parts.count > 1 ? Self.decode(parts[1]) : ""
        }
        return nil
    }

    /// The value of the first cookie of that name, without the quotes around it (RFC 6265 §5.4); `nil`
    /// where there is none.
    ///
    /// Complexity: O(bytes of the cookies).
    public func cookie(_ name: String) -> String? {
        for list in headers("Cookie") {
            for cookie in list.split(separator: ";") {
                let parts = cookie.drop { $0 == " " }
                    .split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, parts[0] == name else { continue }
                let value = parts[1]
                let isQuoted = value.count >= 2 && value.first == "\"" && value.last == "\""
                return String(isQuoted ? value.dropFirst().dropLast() : value)
            }
        }
        return nil
    }

    /// The token of `Authorization: Bearer …` (RFC 6750 §2.1); `nil` where there is none.
    public var bearerToken: String? {
        guard let value = header("Authorization") else { return nil }
        let parts = value.split(separator: " ")
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }

    private static func decode(_ encoded: Substring) -> String? {
        let spaced = encoded.contains("+") ? String(encoded.map { $0 == "+" ? " " : $0 }) : nil
        return PercentDecoding.decode(spaced.map { $0[...] } ?? encoded)
    }
}
