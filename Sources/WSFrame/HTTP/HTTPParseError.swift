/// A message that cannot be read; answer a request with ``status`` and close the connection.
public struct HTTPParseError: Error, Hashable, Sendable {
    /// The rule or limit that was broken.
    public enum Reason: Hashable, Sendable {
        /// The request line is not `method SP target SP version` (RFC 9112 §3).
        case malformedRequestLine
        /// The status line is not `version SP status SP phrase` (RFC 9112 §4).
        case malformedStatusLine
        /// The target holds a byte that no URI has, or has none of the four forms (RFC 9112 §3.2).
        case malformedTarget
        /// Neither HTTP/1.0 nor HTTP/1.1.
        case unsupportedVersion
        /// A header line is not `name ":" value`, or its name is not a token (RFC 9110 §5.1).
        case malformedHeader
        /// White space between name and colon (RFC 9112 §5.1).
        case whitespaceBeforeColon
        /// A header line that begins with white space (RFC 9112 §5.2).
        case foldedHeader
        /// A control byte, such as NUL, a CR without LF or an LF without CR (RFC 9112 §2.2, RFC
        /// 9110 §5.5).
        case controlByte(UInt8)
        /// `Host` is missing in HTTP/1.1, there is more than one, or it names no host (RFC 9112 §3.2).
        case invalidHost
        /// `Content-Length` is no number, does not fit, or is there twice (RFC 9112 §6.3).
        case invalidContentLength
        /// `Content-Length` and `Transfer-Encoding` together, or the latter in HTTP/1.0 (RFC 9112
        /// §6.1).
        case conflictingFraming
        /// A transfer coding other than `chunked` (RFC 9112 §6.1).
        case unsupportedTransferCoding
        /// The request line or status line is longer than ``HTTPLimits/requestLineBytesMax``.
        case oversizedRequestLine(max: Int)
        /// A header line is longer than ``HTTPLimits/headerLineBytesMax``.
        case oversizedHeaderLine(max: Int)
        /// There are more header lines than ``HTTPLimits/headersMax``.
        case excessiveHeaders(max: Int)
        /// The head is longer than ``HTTPLimits/headBytesMax``.
        case oversizedHead(max: Int)
        /// A chunk's size is no hexadecimal number of at most 15 digits, or its data are not followed
        /// by CRLF (RFC 9112 §7.1).
        case malformedChunk
        /// A chunk's size with its extensions is longer than ``HTTPLimits/chunkLineBytesMax``.
        case oversizedChunkLine(max: Int)
        /// The chunks' extensions are longer than ``HTTPLimits/chunkExtensionsBytesMax``.
        case oversizedChunkExtensions(max: Int)
        /// The body is longer than ``HTTPLimits/bodyBytesMax``, or what was set for it.
        case oversizedBody(max: Int)
        /// `Expect` asks for something other than `100-continue` (RFC 9110 §10.1.1).
        case unknownExpectation
        /// The ``HTTPScreen`` refused the request with this status.
        case refused(HTTPStatus)
    }

    public let reason: Reason

    public init(_ reason: Reason) {
        self.reason = reason
    }

    /// The status to answer with.
    public var status: HTTPStatus {
        switch reason {
        case .malformedRequestLine, .malformedStatusLine, .malformedTarget, .malformedHeader,
            .whitespaceBeforeColon,
            .foldedHeader, .controlByte, .invalidHost, .invalidContentLength, .conflictingFraming,
            .malformedChunk, .oversizedChunkLine, .oversizedChunkExtensions:
            .badRequest
        case .unsupportedVersion: .httpVersionNotSupported
        case .unsupportedTransferCoding: .notImplemented
        case .oversizedRequestLine: .uriTooLong
        case .oversizedHeaderLine, .excessiveHeaders, .oversizedHead:
            .requestHeaderFieldsTooLarge
        case .oversizedBody: .contentTooLarge
        case .unknownExpectation: .expectationFailed
        case .refused(let status): status
        }
    }

    /// The answer: ``status`` with a line of text.
    public var response: HTTPResponse {
        HTTPResponse(status: status, text: "\(status) \(status.reasonPhrase)\n")
    }
}

extension HTTPParseError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .malformedRequestLine: "malformed request line"
        case .malformedStatusLine: "malformed status line"
        case .malformedTarget: "malformed request target"
        case .unsupportedVersion: "unsupported HTTP version"
        case .malformedHeader: "malformed header line"
        case .whitespaceBeforeColon: "white space before the colon of a header"
        case .foldedHeader: "folded header line"
        case .controlByte(let byte): "control byte \(byte) in the head"
        case .invalidHost: "not exactly one Host header that names a host"
        case .invalidContentLength: "invalid Content-Length"
        case .conflictingFraming: "Transfer-Encoding where it must not be"
        case .unsupportedTransferCoding: "unsupported transfer coding"
        case .oversizedRequestLine(let max): "first line exceeds \(max) bytes"
        case .oversizedHeaderLine(let max): "header line exceeds \(max) bytes"
        case .excessiveHeaders(let max): "more than \(max) header lines"
        case .oversizedHead(let max): "head exceeds \(max) bytes"
        case .malformedChunk: "malformed chunk"
        case .oversizedChunkLine(let max): "line of a chunk exceeds \(max) bytes"
        case .oversizedChunkExtensions(let max): "chunk extensions exceed \(max) bytes"
        case .oversizedBody(let max): "body exceeds \(max) bytes"
        case .unknownExpectation: "unknown expectation"
        case .refused(let status): "refused with \(status) before the head was whole"
        }
    }
}
