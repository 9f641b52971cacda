import Glibc

/// The process's own resident memory (proc(5), `smaps_rollup`).
func anonymousBytes() -> Int {
    guard let file = fopen("/proc/self/smaps_rollup", "r") else {
        preconditionFailure("no smaps_rollup: errno \(errno)")
    }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
        let words = String(
            decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self
        )
        .split(whereSeparator: { $0 == " " || $0 == "\n" })
        if words.first == "Anonymous:", words.count == 3, let kibibytes = Int(words[1]) {
            return kibibytes << 10
        }
    }
    preconditionFailure("smaps_rollup says nothing of anonymous memory")
}
