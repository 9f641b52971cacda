/// The methods of a server by the names of a request's bytes; finding one allocates nothing.
///
/// `@unchecked Sendable`: entries are immutable, and their handlers `Sendable`.
struct MethodTable: @unchecked Sendable {
    private(set) var entries: [MethodEntry] = []
    /// Positions plus one, 0 where there is none; a power of two, at most half full.
    private var index = [UInt16](repeating: 0, count: 16)

    /// Adds a method; two of one name are a mistake of the program.
    mutating func add(_ entry: MethodEntry) {
        let isNew = entry.service.withUnsafeBytes { service in
            entry.method.withUnsafeBytes { find(service, $0) == nil }
        }
        precondition(
            isNew,
            "\(String(decoding: entry.service, as: UTF8.self))/\(String(decoding: entry.method, as: UTF8.self)) is served already"
        )
        precondition(entries.count < 32_767, "\(entries.count) methods")
        entry.index = entries.count
        entries.append(entry)
        if entries.count * 2 > index.count { index = .init(repeating: 0, count: index.count * 2) }
        for place in index.indices { index[place] = 0 }
        for (position, entry) in entries.enumerated() {
            var place = entry.service.withUnsafeBytes { service in
                entry.method.withUnsafeBytes { Self.hash(service, $0) }
            }
            while index[place & (index.count - 1)] != 0 { place += 1 }
            index[place & (index.count - 1)] = UInt16(position + 1)
        }
    }

    /// The same methods, each of them changed; their names stay.
    func mapped(_ transform: (MethodEntry) -> MethodEntry) -> MethodTable {
        var table = self
        table.entries = entries.map { entry in
            let changed = transform(entry)
            changed.index = entry.index
            return changed
        }
        return table
    }

    /// The method of these names.
    @inline(__always)
    func find(
        _ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer
    ) -> MethodEntry? {
        var place = Self.hash(service, method) & (index.count - 1)
        while index[place] != 0 {
            let entry = entries[Int(index[place]) - 1]
            if Self.isEqual(entry.method, method), Self.isEqual(entry.service, service) {
                return entry
            }
            place = (place + 1) & (index.count - 1)
        }
        return nil
    }

    /// From lengths and ends: names of one server seldom share all of these, and a chain of those
    /// that do is bounded by what the program itself registered.
    @inline(__always)
    private static func hash(
        _ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer
    ) -> Int {
        var hash = UInt64(service.count) &* 31 &+ UInt64(method.count)
        hash = (hash ^ word(service)) &* 0x9e37_79b9_7f4a_7c15
        hash = (hash ^ word(method)) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: hash >> 40)
    }

    /// The last eight bytes, or all where there are fewer.
    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard bytes.count >= 8 else { return bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self)
    }

    @inline(__always)
    private static func isEqual(_ name: [UInt8], _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard name.count == bytes.count else { return false }
        return name.withUnsafeBytes { name in
            var cursor = 0
            while cursor + 8 <= name.count {
                let (one, other) = (
                    name.loadUnaligned(fromByteOffset: cursor, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: cursor, as: UInt64.self)
                )
                guard one == other else { return false }
                cursor += 8
            }
            while cursor < name.count {
                guard name[cursor] == bytes[cursor] else { return false }
                cursor += 1
            }
            return true
        }
    }
}
