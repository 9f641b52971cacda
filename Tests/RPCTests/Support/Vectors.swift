import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The frames of `Tests/Vectors/ttrpc.txt` by name.
enum Vectors {
    static let all: [String: [UInt8]] = {
        var vectors: [String: [UInt8]] = [:]
        var name: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                name = nil
            } else if line.hasPrefix("#") {
                continue
            } else if let current = name {
                vectors[current, default: []] += line.split(separator: " ").compactMap {
                    UInt8($0, radix: 16)
                }
            } else {
                let started = String(line.prefix { $0 != ":" })
                name = started
                vectors[started] = []
            }
        }
        return vectors
    }()

    static func frame(_ name: String) throws -> [UInt8] {
        try #require(all[name], "no vector \(name)")
    }

    private static var text: String {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        guard let file = fopen("/\(root)/Tests/Vectors/ttrpc.txt", "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
