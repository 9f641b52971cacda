/// The names of header lines that framing and the handshake ask for again and again (RFC 9112 §6, RFC 6455 §11.3):
/// each is compared once, when its line is read.
enum HTTPFieldName: UInt8, Sendable {
    /// Any other name.
    case other
    case host
    case expect
    case upgrade
    case connection
    case contentLength
    case transferEncoding
    case webSocketKey
    case webSocketAccept
    case webSocketVersion
    case webSocketProtocol
    case webSocketExtensions

    /// Knows a name by its length, then by its letters.
    ///
    /// - Parameter name: In any case.
    init(_ name: UnsafeRawBufferPointer) {
        @inline(__always)
        func says(_ text: StaticString) -> Bool { HTTPSyntax.matches(name, text) }
        switch name.count {
        case 4: self = says("host") ? .host : .other
        case 6: self = says("expect") ? .expect : .other
        case 7: self = says("upgrade") ? .upgrade : .other
        case 10: self = says("connection") ? .connection : .other
        case 14: self = says("content-length") ? .contentLength : .other
        case 17:
            self =
                says("sec-websocket-key")
                ? .webSocketKey : says("transfer-encoding") ? .transferEncoding : .other
        case 20: self = says("sec-websocket-accept") ? .webSocketAccept : .other
        case 21: self = says("sec-websocket-version") ? .webSocketVersion : .other
        case 22: self = says("sec-websocket-protocol") ? .webSocketProtocol : .other
        case 24: self = says("sec-websocket-extensions") ? .webSocketExtensions : .other
        default: self = .other
        }
    }
}
