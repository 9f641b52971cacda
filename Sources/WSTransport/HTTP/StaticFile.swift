public import WSFrame

/// Bytes that a path answers with, such as a page or its script.
///
/// Its `ETag` is a strong one, made of the bytes once; who has them already is answered 304 (RFC 9110
/// §13.1.2).
public struct StaticFile: Hashable, Sendable {
    private let response: HTTPResponse
    private let notModified: HTTPResponse
    /// The entity tag, in quotes.
    public let entityTag: String

    /// Creates a file.
    ///
    /// - Parameters:
    ///   - contentType: For example `text/html; charset=utf-8`.
    ///   - body: Sent as it is.
    ///   - headers: Sent after the content type, such as `Cache-Control`.
    ///
    /// Complexity: O(bytes of `body`).
    public init(contentType: StaticString, body: [UInt8], headers: [HTTPHeader] = []) {
        self.init(
            contentType: HTTPHeader("Content-Type", contentType), body: body, headers: headers)
    }

    init(contentType: HTTPHeader, body: [UInt8], headers: [HTTPHeader]) {
        let digest = SHA1.digest(of: body.span.bytes)
        let digits = Array("0123456789abcdef".utf8)
        var tag: [UInt8] = [0x22]
        for index in 0..<16 {
            tag.append(digits[Int(digest[index] >> 4)])
            tag.append(digits[Int(digest[index] & 15)])
        }
        tag.append(0x22)
        entityTag = String(decoding: tag, as: UTF8.self)
        let validators = headers + [HTTPHeader(listing: [entityTag], as: "ETag")]
        response = HTTPResponse(
            status: .ok, headers: [contentType] + validators, body: body)
        notModified = HTTPResponse(status: .notModified, headers: validators)
    }

    /// The answer to `request`: the bytes, or 304 where its `If-None-Match` says that the client has
    /// them; 405 where it is neither GET nor HEAD.
    public func response(to request: HTTPRequest) -> HTTPResponse {
        guard request.method == .get || request.method == .head else {
            var response = HTTPResponse(
                status: .methodNotAllowed, text: "405 Method Not Allowed\n")
            response.headers.append(HTTPHeader("Allow", "GET, HEAD"))
            return response
        }
        return request.headers("If-None-Match").contains(where: matches) ? notModified : response
    }

    /// Whether a list of entity tags has this file's, compared weakly (RFC 9110 §8.8.3.2).
    private func matches(_ list: String) -> Bool {
        if list.utf8.elementsEqual("*".utf8) { return true }
        // By bytes: other tags may hold any character. Commas inside of them do not matter: no part of one
        // equals this file's.
        return list.utf8.split(separator: UInt8(ascii: ",")).contains { element in
            let tag = element.trimmed
            return (tag.starts(with: "W/".utf8) ? tag.dropFirst(2) : tag)
                .elementsEqual(entityTag.utf8)
        }
    }
}
