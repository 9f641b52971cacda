public import WSFrame

/// Bytes that a path answers with, such as a page or its script.
public struct StaticFile: Hashable, Sendable {
    let headers: [HTTPHeader]
    let body: [UInt8]

    /// Creates a file.
    ///
    /// - Parameters:
    ///   - contentType: For example `text/html; charset=utf-8`.
    ///   - body: Sent as it is.
    ///   - headers: Sent after the content type.
    public init(contentType: StaticString, body: [UInt8], headers: [HTTPHeader] = []) {
        self.headers = [HTTPHeader("Content-Type", contentType)] + headers
        self.body = body
    }
}
