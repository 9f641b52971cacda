/// What travels beside a request: pairs of text, in order, of which keys may repeat.
///
/// Keys are lower-cased when they are added, as Go's accessors do; received ones are kept as they
/// were sent, and found whatever their case.
public struct RPCMetadata: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    public struct Entry: Hashable, Sendable {
        public let key: String
        public let value: String
    }

    /// Entries as they came, as fields of a request: read only when somebody asks.
    private var received: [UInt8] = []
    private var added: [Entry] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { add(value, for: key) }
    }

    /// What came with a request; one allocation, or none where nothing came.
    init(_ envelope: RequestEnvelope, of bytes: UnsafeRawBufferPointer) {
        if envelope.metadataCount > 0 { received = Array(bytes[envelope.metadata]) }
    }

    /// All entries, in the order they were added. Complexity: O(bytes) where they were received.
    public var entries: [Entry] {
        guard !received.isEmpty else { return added }
        var entries: [Entry] = []
        received.withUnsafeBytes { bytes in
            // It was read before, as part of the request.
            guard let envelope = try? RequestEnvelope(bytes) else { return }
            envelope.forEachEntry(of: bytes) { entry in
                let key = String(decoding: bytes[entry.key], as: UTF8.self)
                // That one is not the application's.
                guard key.lowercased() != Announcement.key else { return }
                let value = String(decoding: bytes[entry.value], as: UTF8.self)
                entries.append(Entry(key: key, value: value))
            }
        }
        return entries + added
    }

    public var isEmpty: Bool { added.isEmpty && (received.isEmpty || entries.isEmpty) }

    /// Adds an entry; others of the same key stay.
    public mutating func add(_ value: String, for key: String) {
        added.append(Entry(key: key.lowercased(), value: value))
    }

    /// The first value of `key`. Complexity: O(entries).
    public subscript(key: String) -> String? {
        let key = key.lowercased()
        return entries.first { $0.key == key || $0.key.lowercased() == key }?.value
    }

    public static func == (left: RPCMetadata, right: RPCMetadata) -> Bool {
        left.entries == right.entries
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(entries) }

    // MARK: - As fields of a request

    /// Whether there is surely nothing to be written.
    var isTriviallyEmpty: Bool { added.isEmpty && received.isEmpty }

    var encodedBytes: Int {
        var sum = 0
        for entry in entries {
            sum += ProtobufWriter.bytes(ofField: Self.encodedBytes(entry))
        }
        return sum
    }

    func write(to writer: inout ProtobufWriter) {
        for entry in entries {
            writer.lengthField(5, bytes: Self.encodedBytes(entry))
            writer.string(1, entry.key)
            writer.string(2, entry.value)
        }
    }

    private static func encodedBytes(_ entry: Entry) -> Int {
        ProtobufWriter.bytes(ofField: entry.key.utf8.count)
            + ProtobufWriter.bytes(ofField: entry.value.utf8.count)
    }
}
