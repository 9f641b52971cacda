/// What a field holds.
package enum FieldValue: Hashable, Sendable {
    case kind(EnvelopeKind)
    case flag(Bool)
    case count(UInt64)
    case number(Int64)
    /// A number that clients only keep and give back: opaque text in JSON, whose numbers are not
    /// exact everywhere.
    case mark(UInt64)
    case text(String)
    case bytes([UInt8])
    /// One JSON value in UTF-8.
    case json([UInt8])
    case marks([UInt64])
    case texts([String])
    case fieldSets([FieldSet])
}

/// An envelope between its meaning and its bytes: at most one value for each key, in the order in
/// which they are written.
package struct FieldSet: Hashable, Sendable {
    struct Field: Hashable, Sendable {
        let key: FieldKey
        let value: FieldValue
    }

    private(set) var fields: [Field] = []

    package init() {}

    /// An envelope of that kind, to be filled.
    package init(_ kind: EnvelopeKind) {
        self[.type] = .kind(kind)
    }

    /// Setting `nil` leaves the field out.
    ///
    /// Complexity: O(fields).
    package subscript(key: FieldKey) -> FieldValue? {
        get { fields.first { $0.key == key }?.value }
        set {
            fields.removeAll { $0.key == key }
            if let newValue {
                assert(newValue.shape == key.shape, "\(key) is not of that shape")
                fields.append(Field(key: key, value: newValue))
            }
        }
    }

    /// Adds a field that was read.
    ///
    /// - Throws: ``WireError`` where there is one of that key.
    mutating func add(_ key: FieldKey, _ value: FieldValue) throws(WireError) {
        guard self[key] == nil else { throw WireError("\(key.name) stands there twice") }
        fields.append(Field(key: key, value: value))
    }
}

extension FieldValue {
    var shape: FieldKey.Shape {
        switch self {
        case .kind: .kind
        case .flag: .flag
        case .count: .count
        case .number: .number
        case .mark: .mark
        case .text: .text
        case .bytes: .bytes
        case .json: .json
        case .marks: .marks
        case .texts: .texts
        case .fieldSets: .fieldSets
        }
    }
}
