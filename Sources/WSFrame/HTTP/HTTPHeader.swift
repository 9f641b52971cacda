/// One header line of a response (RFC 9110 §5).
public struct HTTPHeader: Hashable, Sendable {
    public let name: String
    public let value: String

    /// Makes a header from values known only at run time.
    ///
    /// - Parameters:
    ///   - name: A token.
    ///   - value: No control bytes but HTAB; a line end would let its author write headers of their own.
    /// - Throws: ``HTTPHeaderError``
    public init(name: String, value: String) throws(HTTPHeaderError) {
        guard !name.isEmpty, name.utf8.allSatisfy(HTTPSyntax.isTokenByte) else {
            throw HTTPHeaderError(.invalidName, header: name)
        }
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw HTTPHeaderError(.invalidValue, header: name)
        }
        self.name = name
        self.value = value
    }

    /// Makes a header from literals.
    ///
    /// - Precondition: The name is a token and the value has no control bytes.
    public init(_ name: StaticString, _ value: StaticString) {
        do {
            try self.init(name: name.description, value: value.description)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

/// A header that must not be written, because it would be read as something else.
public struct HTTPHeaderError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// The name is not a token (RFC 9110 §5.1).
        case invalidName
        /// The value holds a control byte, such as CR or LF (RFC 9110 §5.5).
        case invalidValue
    }

    public let reason: Reason
    /// The name of the header.
    public let header: String

    public init(_ reason: Reason, header: String) {
        self.reason = reason
        self.header = header
    }

    public var description: String {
        switch reason {
        case .invalidName: "header name \(header.debugDescription) is not a token"
        case .invalidValue: "value of header \(header) holds a control byte"
        }
    }
}
