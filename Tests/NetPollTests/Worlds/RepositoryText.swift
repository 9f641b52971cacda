import Glibc
import Testing

/// What a file of this repository says; `path` counts from the repository's root.
func repositoryText(_ path: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let descriptor = open("/\(root)/\(path)", O_RDONLY)
    try #require(descriptor >= 0, "\(path) is not there")
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = read(descriptor, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
}
