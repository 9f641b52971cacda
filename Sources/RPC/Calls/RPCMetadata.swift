/// What travels beside a request: pairs of text, in order, of which keys may repeat.
///
/// Keys are lower-cased when they are added, as Go's accessors do; received ones are kept as they
/// were sent, and found whatever their case. Text is compared by its bytes.
public struct RPCMetadata: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    public struct Entry: Hashable, Sendable {
        public let key: String
        public let value: String

        public static func == (left: Entry, right: Entry) -> Bool {
            left.key.isSameBytes(as: right.key) && left.value.isSameBytes(as: right.value)
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(Array(key.utf8))
            hasher.combine(Array(value.utf8))
        }
    }

    /// A request, and where in it the entries are that came: read only when somebody asks.
    private(set) var received: RequestBytes?
    private var range = 0..<0
    /// Entries that were added, as fields of a request: written once, however many requests carry
    /// them.
    private var added: [UInt8] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { add(value, for: key) }
    }

    /// What came with a request, whose data they share where these are small; else a copy.
    init(_ envelope: RequestEnvelope, of request: RequestBytes) {
        guard envelope.metadataCount > 0 else { return }
        if request.isShareable {
            (received, range) = (request, envelope.metadata)
        } else {
            receive(envelope, of: request.bytes, RequestBytes())
        }
    }

    /// What came with a request, copied to `copy`.
    init(
        _ envelope: RequestEnvelope, of bytes: UnsafeRawBufferPointer, into copy: RequestBytes
    ) {
        if envelope.metadataCount > 0 { receive(envelope, of: bytes, copy) }
    }

    private mutating func receive(
        _ envelope: RequestEnvelope, of bytes: UnsafeRawBufferPointer, _ copy: RequestBytes
    ) {
        copy.append(UnsafeRawBufferPointer(rebasing: bytes[envelope.metadata]))
        (received, range) = (copy, 0..<envelope.metadata.count)
    }

    /// All entries, in the order they were added. Complexity: O(bytes) where they were received.
    public var entries: [Entry] {
        let came =
            received?.withBytes { Self.entries(UnsafeRawBufferPointer(rebasing: $0[range])) } ?? []
        return came.filter {
            // That one is not the application's.
            $0.key.utf8.count != Announcement.key.utf8.count
                || !$0.key.lowercased().isSameBytes(as: Announcement.key)
        } + added.withUnsafeBytes { Self.entries($0) }
    }

    private static func entries(_ fields: UnsafeRawBufferPointer) -> [Entry] {
        // They were read before, as part of the request, or written here.
        guard !fields.isEmpty, let envelope = try? RequestEnvelope(fields) else { return [] }
        var entries: [Entry] = []
        envelope.forEachEntry(of: fields) { entry in
            entries.append(
                Entry(
                    key: String(decoding: fields[entry.key], as: UTF8.self),
                    value: String(decoding: fields[entry.value], as: UTF8.self)))
        }
        return entries
    }

    public var isEmpty: Bool { added.isEmpty && (received == nil || entries.isEmpty) }

    /// Adds an entry; others of the same key stay.
    public mutating func add(_ value: String, for key: String) {
        Self.append(Entry(key: key.lowercased(), value: value), to: &added)
    }

    /// The first value of `key`. Complexity: O(entries).
    public subscript(key: String) -> String? {
        let key = key.lowercased()
        return entries.first {
            $0.key.isSameBytes(as: key) || $0.key.lowercased().isSameBytes(as: key)
        }?.value
    }

    public static func == (left: RPCMetadata, right: RPCMetadata) -> Bool {
        left.entries == right.entries
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(entries) }

    // MARK: - As fields of a request

    /// Whether there is surely nothing to be written.
    var isTriviallyEmpty: Bool { added.isEmpty && received == nil }

    /// All entries as fields of a request. Of received ones only the entries are passed on: other
    /// fields may lie between them.
    var fields: [UInt8] {
        guard received != nil else { return added }
        var fields: [UInt8] = []
        for entry in entries { Self.append(entry, to: &fields) }
        return fields
    }

    private static func append(_ entry: Entry, to fields: inout [UInt8]) {
        let bytes =
            ProtobufWriter.bytes(ofField: entry.key.utf8.count)
            + ProtobufWriter.bytes(ofField: entry.value.utf8.count)
        let count = ProtobufWriter.bytes(ofField: bytes)
        fields += [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            if let base = buffer.baseAddress {
                var writer = ProtobufWriter(base)
                writer.lengthField(5, bytes: bytes)
                writer.string(1, entry.key)
                writer.string(2, entry.value)
            }
            filled = count
        }
    }
}
