/// What travels beside a request: pairs of text, in order, of which keys may repeat.
///
/// Keys are lower-cased when they are added, as Go's accessors do; received ones are kept as they
/// were sent, and found whatever their case.
public struct RPCMetadata: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    public struct Entry: Hashable, Sendable {
        public let key: String
        public let value: String
    }

    /// All entries, in the order they were added.
    public private(set) var entries: [Entry] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { add(value, for: key) }
    }

    public var isEmpty: Bool { entries.isEmpty }

    /// Adds an entry; others of the same key stay.
    public mutating func add(_ value: String, for key: String) {
        entries.append(Entry(key: key.lowercased(), value: value))
    }

    /// The first value of `key`. Complexity: O(entries).
    public subscript(key: String) -> String? {
        let key = key.lowercased()
        return entries.first { $0.key == key || $0.key.lowercased() == key }?.value
    }

    /// An entry as it came.
    mutating func append(received key: String, _ value: String) {
        entries.append(Entry(key: key, value: value))
    }

    /// What the entries take as fields of a request.
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
