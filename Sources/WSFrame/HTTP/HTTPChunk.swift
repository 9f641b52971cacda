/// Encodes the chunked transfer coding (RFC 9112 §7.1).
package enum HTTPChunk {
    /// Appends one chunk; nothing where `data` is empty, for an empty chunk would end the body.
    package static func append(_ data: some Collection<UInt8>, to bytes: inout [UInt8]) {
        guard !data.isEmpty else { return }
        bytes += String(data.count, radix: 16).utf8
        bytes += "\r\n".utf8
        bytes += data
        bytes += "\r\n".utf8
    }

    /// The end of a body without trailers.
    package static var last: String { "0\r\n\r\n" }
}
