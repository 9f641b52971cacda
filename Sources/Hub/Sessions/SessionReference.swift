/// A session seen from anywhere: its names, and what may be asked of it without being on its loop.
public struct SessionReference: Sendable {
    /// The session's name.
    public let id: SessionID
    /// Whose it is.
    public let user: String?
    /// On which of the user's devices.
    public let device: String?
    /// Where it is.
    public let hub: HubServer

    /// Sends it a message; nothing happens where it has ended.
    public func send(_ message: HubMessage) {
        hub.send(message, to: [id])
    }

    /// Asks it something and waits for the answer.
    ///
    /// - Parameters:
    ///   - message: The question.
    ///   - timeout: How long to wait.
    /// - Returns: What it answered.
    /// - Throws: ``RequestError``.
    public func request(
        _ message: HubMessage, timeout: Duration = .seconds(10)
    ) async throws(RequestError) -> Payload {
        try await hub.request(message, of: id, timeout: timeout)
    }
}
