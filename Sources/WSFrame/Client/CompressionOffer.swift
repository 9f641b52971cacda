/// Which compression a client's request offers.
public enum CompressionOffer: Hashable, Sendable {
    /// That of the client that sends it; a ``WebSocketClientHandshake`` alone has none.
    case asConfigured
    /// None, whatever the client is set to.
    case off
    /// This one.
    case with(CompressionConfiguration)

    /// What is offered where no client stands behind the request.
    var configuration: CompressionConfiguration? {
        guard case .with(let configuration) = self else { return nil }
        return configuration
    }
}
