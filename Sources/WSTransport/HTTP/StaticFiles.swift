public import NetPoll
public import WSFrame

/// Files by their paths, all in memory: a request's path is looked up and never opened, so that it
/// reaches nothing else.
public struct StaticFiles: Sendable {
    /// By the bytes of the paths: to compare texts of a client's would mean to normalise them.
    private var files: [[UInt8]: StaticFile] = [:]

    /// Creates a set of files that the program holds.
    ///
    /// - Parameter files: By path, such as `/page.css`; percent-decoded, and the same as another only
    ///   byte by byte.
    public init(_ files: [String: StaticFile] = [:]) {
        for (path, file) in files { self[path] = file }
    }

    /// Reads every file below a directory, once; later changes are not seen.
    ///
    /// `index.html` answers for its directory as well. Content types follow from the names'
    /// endings. Names that begin with a dot are left out, and symbolic links not followed.
    ///
    /// - Parameters:
    ///   - root: The directory.
    ///   - prefix: Stands in front of each path; by default `/`.
    ///   - headers: Sent with each, such as `Cache-Control`.
    ///   - filesMax: The most files; by default 10,000.
    ///   - bytesMax: The most bytes in all; by default 64 MiB.
    /// - Throws: ``/NetPoll/SystemError``; EFBIG where a bound is passed.
    public init(
        directory root: String, prefix: String = "/", headers: [HTTPHeader] = [],
        filesMax: Int = 10_000, bytesMax: Int = 64 << 20
    ) throws(SystemError) {
        for (path, bytes) in try FileTree.read(root, filesMax: filesMax, bytesMax: bytesMax) {
            let file = StaticFile(
                contentType: ContentType.header(ofName: path), body: bytes, headers: headers)
            self[prefix + path] = file
            if path == "index.html" || path.hasSuffix("/index.html") {
                self[prefix + path.dropLast("index.html".count)] = file
            }
        }
    }

    /// The file at a path, percent-decoded.
    public subscript(path: String) -> StaticFile? {
        get { files[Array(path.utf8)] }
        set { files[Array(path.utf8)] = newValue }
    }

    /// The answer to `request`; `nil` where its path names no file.
    public func response(to request: HTTPRequest) -> HTTPResponse? {
        let path = request.path
        let file = self[path] ?? PercentDecoding.decode(path[...]).flatMap { self[$0] }
        return file?.response(to: request)
    }
}

/// Content types by the endings of names (RFC 9110 §8.3).
enum ContentType {
    static func header(ofName name: String) -> HTTPHeader {
        let ending = name.split(separator: ".").last.map { $0.lowercased() } ?? ""
        return types[ending] ?? HTTPHeader("Content-Type", "application/octet-stream")
    }

    private static let types: [String: HTTPHeader] = [
        "html": HTTPHeader("Content-Type", "text/html; charset=utf-8"),
        "css": HTTPHeader("Content-Type", "text/css; charset=utf-8"),
        "js": HTTPHeader("Content-Type", "text/javascript; charset=utf-8"),
        "mjs": HTTPHeader("Content-Type", "text/javascript; charset=utf-8"),
        "json": HTTPHeader("Content-Type", "application/json"),
        "map": HTTPHeader("Content-Type", "application/json"),
        "txt": HTTPHeader("Content-Type", "text/plain; charset=utf-8"),
        "md": HTTPHeader("Content-Type", "text/markdown; charset=utf-8"),
        "xml": HTTPHeader("Content-Type", "application/xml"),
        "svg": HTTPHeader("Content-Type", "image/svg+xml"),
        "png": HTTPHeader("Content-Type", "image/png"),
        "jpg": HTTPHeader("Content-Type", "image/jpeg"),
        "jpeg": HTTPHeader("Content-Type", "image/jpeg"),
        "gif": HTTPHeader("Content-Type", "image/gif"),
        "webp": HTTPHeader("Content-Type", "image/webp"),
        "ico": HTTPHeader("Content-Type", "image/x-icon"),
        "woff2": HTTPHeader("Content-Type", "font/woff2"),
        "wasm": HTTPHeader("Content-Type", "application/wasm"),
        "webmanifest": HTTPHeader("Content-Type", "application/manifest+json"),
    ]
}
