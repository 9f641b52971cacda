// Values by what they are, for those who write and read envelopes.
extension FieldSet {
    package var kind: EnvelopeKind? {
        if case .kind(let value) = self[.type] { value } else { nil }
    }

    package func flag(_ key: FieldKey) throws(WireError) -> Bool {
        guard case .flag(let value) = self[key] else { throw missing(key) }
        return value
    }

    package func optionalCount(_ key: FieldKey) -> UInt64? {
        if case .count(let value) = self[key] { value } else { nil }
    }

    package func count(_ key: FieldKey) throws(WireError) -> UInt64 {
        guard let value = optionalCount(key) else { throw missing(key) }
        return value
    }

    package func number(_ key: FieldKey) throws(WireError) -> Int64 {
        guard case .number(let value) = self[key] else { throw missing(key) }
        return value
    }

    package func optionalMark(_ key: FieldKey) -> UInt64? {
        if case .mark(let value) = self[key] { value } else { nil }
    }

    package func mark(_ key: FieldKey) throws(WireError) -> UInt64 {
        guard let value = optionalMark(key) else { throw missing(key) }
        return value
    }

    package func optionalText(_ key: FieldKey) -> String? {
        if case .text(let value) = self[key] { value } else { nil }
    }

    package func text(_ key: FieldKey) throws(WireError) -> String {
        guard let value = optionalText(key) else { throw missing(key) }
        return value
    }

    package func marks(_ key: FieldKey) throws(WireError) -> [UInt64] {
        guard case .marks(let value) = self[key] else { throw missing(key) }
        return value
    }

    package func texts(_ key: FieldKey) throws(WireError) -> [String] {
        guard case .texts(let value) = self[key] else { throw missing(key) }
        return value
    }

    /// None where there is no such field.
    package func fieldSets(_ key: FieldKey) -> [FieldSet] {
        if case .fieldSets(let value) = self[key] { value } else { [] }
    }

    private func missing(_ key: FieldKey) -> WireError { WireError("\(key.name) is missing") }
}
