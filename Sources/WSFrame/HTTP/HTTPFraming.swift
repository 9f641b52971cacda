/// Decides where a request ends and whether another may follow (RFC 9112 §6, §9.3).
///
/// Strict where two readers could disagree, because that is how requests are smuggled past a proxy.
struct HTTPFraming {
    private(set) var body = HTTPRequest.Body.none
    private(set) var keepsAlive: Bool
    private(set) var expectsContinue = false
    private var hasUnknownExpectation = false
    private var hosts = 0
    private var hasInvalidHost = false
    private var contentLengths = 0
    private var contentBytes: Int?
    private var isTransferCoded = false
    private var isChunked = false
    private var hasClose = false
    private var hasKeepAlive = false

    init(
        head: [UInt8],
        target: HTTPRequest.Slice,
        fields: [HTTPRequest.Field],
        version: HTTPVersion
    ) throws(HTTPParseError) {
        keepsAlive = version == .http11
        head.withUnsafeBytes { head in
            for field in fields {
                read(field.known, head.slice(field.value), target: head.slice(target))
            }
        }
        guard hosts == 1 || hosts == 0 && version == .http10, !hasInvalidHost else {
            throw HTTPParseError(.invalidHost)
        }
        if isTransferCoded {
            guard contentLengths == 0, version == .http11 else {
                throw HTTPParseError(.conflictingFraming)
            }
            guard isChunked else { throw HTTPParseError(.unsupportedTransferCoding) }
            body = .chunked
        } else if contentLengths > 0 {
            guard contentLengths == 1, let contentBytes else {
                throw HTTPParseError(.invalidContentLength)
            }
            body = contentBytes == 0 ? .none : .bytes(contentBytes)
        }
        // An expectation of HTTP/1.0 is ignored, and one without a body asks for nothing (RFC 9110
        // §10.1.1).
        if version == .http10 || body == .none {
            expectsContinue = false
        }
        guard version == .http10 || !hasUnknownExpectation else {
            throw HTTPParseError(.unknownExpectation)
        }
        keepsAlive = !hasClose && (keepsAlive || hasKeepAlive)
    }

    private mutating func read(
        _ name: HTTPFieldName, _ value: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer
    ) {
        switch name {
        case .host:
            hosts += 1
            hasInvalidHost =
                hasInvalidHost || !HTTPHost.isValid(value) || !HTTPHost.isValid(value, for: target)
        case .expect:
            HTTPSyntax.forEachListElement(of: value) { expectation in
                let isContinue = HTTPSyntax.matches(expectation, "100-continue")
                expectsContinue = expectsContinue || isContinue
                hasUnknownExpectation = hasUnknownExpectation || !isContinue
            }
        case .connection:
            HTTPSyntax.forEachListElement(of: value) { option in
                hasClose = hasClose || HTTPSyntax.matches(option, "close")
                hasKeepAlive = hasKeepAlive || HTTPSyntax.matches(option, "keep-alive")
            }
        case .contentLength:
            contentLengths += 1
            contentBytes = Self.number(value)
        case .transferEncoding:
            isChunked = !isTransferCoded && HTTPSyntax.matches(value, "chunked")
            isTransferCoded = true
        default:
            break
        }
    }

    /// The value of `digits`, or `nil` if they are none or too many.
    private static func number(_ digits: UnsafeRawBufferPointer) -> Int? {
        // Eighteen digits are below the largest Int, and above any body.
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value = 0
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            value = value * 10 + Int(digit - 0x30)
        }
        return value
    }
}
