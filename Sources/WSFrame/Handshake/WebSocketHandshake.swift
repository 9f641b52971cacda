/// The server's side of the opening handshake (RFC 6455 §4.2).
public enum WebSocketHandshake {
    /// Whether the request asks for a WebSocket at all, well or badly; others are plain HTTP.
    public static func isRequested(by request: HTTPRequest) -> Bool {
        request.lists("websocket", in: .upgrade)
    }

    /// Checks an upgrade request against every rule of RFC 6455 §4.2.1.
    ///
    /// - Parameters:
    ///   - request: The complete head.
    ///   - origins: Which pages may open a WebSocket; the default leaves it to the caller.
    /// - Returns: The upgrade, to be answered with
    ///   ``WebSocketUpgrade/response(subprotocol:compression:headers:)``.
    /// - Throws: ``HandshakeRejection``, which has the answer.
    public static func validate(
        _ request: HTTPRequest, origins: OriginPolicy = .any
    ) throws(HandshakeRejection) -> WebSocketUpgrade {
        try validate(request, origins: origins, isRequested: isRequested(by: request))
    }

    /// The same, where it is known already whether the request asks for a WebSocket.
    package static func validate(
        _ request: HTTPRequest, origins: OriginPolicy, isRequested: Bool
    ) throws(HandshakeRejection) -> WebSocketUpgrade {
        guard request.isMethod("GET") else { throw HandshakeRejection(.method) }
        guard request.version == .http11 else { throw HandshakeRejection(.httpVersion) }
        guard isRequested, request.lists("upgrade", in: .connection) else {
            throw HandshakeRejection(.notAnUpgrade)
        }
        guard request.body == .none else { throw HandshakeRejection(.body) }
        try checkVersion(of: request)
        guard origins == .any || origins.admits(request) else { throw HandshakeRejection(.origin) }
        return WebSocketUpgrade(
            acceptValue: try acceptValue(of: request),
            subprotocols: try subprotocols(of: request),
            compressionOffers: try compressionOffers(of: request)
        )
    }

    /// What every key is hashed with (RFC 6455 §1.3).
    private static var guid: StaticString { "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" }

    /// The value of `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2).
    package static func acceptValue(forKey key: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { acceptValue(forKey: $0) }
    }

    private static func acceptValue(forKey key: UnsafeRawBufferPointer) -> [UInt8] {
        // unsafe: a StaticString of ASCII has a pointer to its code units; `message` has room for both.
        let guid = UnsafeRawBufferPointer(start: guid.utf8Start, count: guid.utf8CodeUnitCount)
        return withUnsafeTemporaryAllocation(byteCount: key.count + guid.count, alignment: 1) {
            message in
            message.copyMemory(from: key)
            UnsafeMutableRawBufferPointer(rebasing: message[key.count...]).copyMemory(from: guid)
            let digest = SHA1.digest(of: UnsafeRawBufferPointer(message).bytes)
            return Base64.encode(digest.span.bytes)
        }
    }

    private static func checkVersion(of request: HTTPRequest) throws(HandshakeRejection) {
        var count = 0
        var is13 = false
        request.forEachValue(.webSocketVersion) { value in
            count += 1
            is13 = HTTPSyntax.matches(value, "13")
        }
        guard count <= 1 else { throw HandshakeRejection(.duplicateVersion) }
        guard is13 else { throw HandshakeRejection(.version) }
    }

    private static func acceptValue(of request: HTTPRequest) throws(HandshakeRejection) -> [UInt8] {
        var count = 0
        var accept: [UInt8] = []
        request.forEachValue(.webSocketKey) { value in
            count += 1
            if count == 1, Base64.isSixteenBytes(value) { accept = acceptValue(forKey: value) }
        }
        guard count == 1, !accept.isEmpty else { throw HandshakeRejection(.key) }
        return accept
    }

    /// The offers of `permessage-deflate`, in the client's order; each byte is read once.
    private static func compressionOffers(
        of request: HTTPRequest
    ) throws(HandshakeRejection) -> [DeflateParameters] {
        var header = ExtensionHeader()
        request.forEachValue(.webSocketExtensions) { header.add($0) }
        guard header.isWellFormed else { throw HandshakeRejection(.extensions) }
        return header.deflate
    }

    /// The subprotocols offered, in the client's order; each byte is read once.
    private static func subprotocols(
        of request: HTTPRequest
    ) throws(HandshakeRejection) -> [String] {
        var names: [String] = []
        var isValid = true
        request.forEachValue(.webSocketProtocol) { value in
            HTTPSyntax.forEachListElement(of: value) { name in
                isValid = isValid && HTTPSyntax.isToken(name)
                names.append(String(decoding: name, as: UTF8.self))
            }
        }
        guard isValid else { throw HandshakeRejection(.subprotocols) }
        return names
    }
}
