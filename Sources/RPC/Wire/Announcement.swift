/// How a client says that it knows the extensions: `longwire-ext: 1` in a request's metadata.
enum Announcement {
    static let key = "longwire-ext"

    /// Whether a request carries it; its key is found whatever its case.
    static func isIn(_ envelope: RequestEnvelope, of bytes: UnsafeRawBufferPointer) -> Bool {
        guard envelope.metadataCount > 0 else { return false }
        var isFound = false
        envelope.forEachEntry(of: bytes) { entry in
            guard entry.value.count == 1, bytes[entry.value.lowerBound] == UInt8(ascii: "1"),
                entry.key.count == key.utf8.count
            else { return }
            let isKey = zip(bytes[entry.key], key.utf8).allSatisfy { sent, wanted in
                sent == wanted || (sent | 0x20) == wanted && (0x41...0x5a).contains(sent)
            }
            isFound = isFound || isKey
        }
        return isFound
    }
}
