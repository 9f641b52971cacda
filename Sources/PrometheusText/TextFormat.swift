/// Writes the text exposition format 0.0.4.
struct TextFormat {
    private(set) var bytes: [UInt8] = []

    mutating func appendType(of name: String, _ kind: SeriesKind) {
        bytes += "# TYPE \(name) \(kind.rawValue)\n".utf8
    }

    mutating func append(_ name: String, _ labels: String, _ value: Double) {
        append(name, labels, Self.number(value))
    }

    mutating func append(_ name: String, _ labels: String, _ value: Int64) {
        append(name, labels, String(value))
    }

    private mutating func append(_ name: String, _ labels: String, _ value: String) {
        bytes += name.utf8
        if !labels.isEmpty {
            bytes.append(0x7B)
            bytes += labels.utf8
            bytes.append(0x7D)
        }
        bytes.append(0x20)
        bytes += value.utf8
        bytes.append(0x0A)
    }

    /// A number as Go's parser reads it.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return "\(value)"
    }

    /// A metric's name: `[a-zA-Z_:][a-zA-Z0-9_:]*`, with a suffix it does not have yet.
    static func name(_ label: String, suffix: String) -> String {
        let name = cleaned(label, allowsColon: true)
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// Labels without braces, by name; of several with one name the first counts.
    static func labels(_ dimensions: [(String, String)], valueBytesMax: Int) -> String {
        var labels: [(name: String, value: String)] = []
        for (label, value) in dimensions {
            var name = cleaned(label, allowsColon: false)
            // Reserved for buckets, and for the server's own.
            if name == "le" || name == "quantile" || name.hasPrefix("__") { name = "x" + name }
            guard !labels.contains(where: { $0.name == name }) else { continue }
            labels.append((name, escaped(value, bytesMax: valueBytesMax)))
        }
        return labels.sorted { $0.name < $1.name }.map { "\($0.name)=\"\($0.value)\"" }
            .joined(separator: ",")
    }

    private static func cleaned(_ text: String, allowsColon: Bool) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x41...0x5A, 0x61...0x7A, 0x5F: bytes.append(byte)
            case 0x30...0x39:
                if bytes.isEmpty { bytes.append(0x5F) }
                bytes.append(byte)
            case 0x3A where allowsColon: bytes.append(byte)
            default: bytes.append(0x5F)
            }
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }

    private static func escaped(_ value: String, bytesMax: Int) -> String {
        var text = ""
        var bytes = 0
        for scalar in value.unicodeScalars {
            bytes += scalar.utf8.count
            if bytes > bytesMax { break }
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
