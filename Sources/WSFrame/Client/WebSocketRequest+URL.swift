extension WebSocketRequest {
    /// What a `ws://` URL asks for (RFC 6455 §3).
    ///
    /// Fills in ``host``, ``target`` and, where the URL names a user, ``credentials``; the rest may
    /// be set afterwards. Names beyond ASCII have to be in their `xn--` form (RFC 5890), other text
    /// percent-encoded.
    ///
    /// - Throws: ``WebSocketURLError``
    public init(url: String) throws(WebSocketURLError) {
        let url = try ConnectionURL(url, scheme: "ws")
        self.init(host: url.server.field, target: url.target, credentials: url.credentials)
    }

    /// Where ``host`` leads.
    package var server: HostAndPort {
        get throws(WebSocketRequestError) {
            do throws(WebSocketURLError) {
                return try HostAndPort(host.utf8)
            } catch {
                throw WebSocketRequestError(.host)
            }
        }
    }
}
