/// The header lines of a head, as slices of its bytes; strings are made on demand.
struct HTTPFields: Sendable {
    /// A slice of the head.
    struct Slice: Sendable {
        var lower: Int32
        var upper: Int32

        var count: Int { Int(upper &- lower) }
    }

    struct Field: Sendable {
        let name: Slice
        let value: Slice
        /// What the name says, where it is one that framing or the handshake asks for.
        let known: HTTPFieldName
    }

    let head: [UInt8]
    private let fields: [Field]

    init(head: [UInt8], fields: [Field]) {
        self.head = head
        self.fields = fields
    }

    var count: Int { fields.count }

    func header(at index: Int) -> (name: String, value: String) {
        (string(fields[index].name), string(fields[index].value))
    }

    /// Complexity: O(head bytes).
    func header(_ name: String) -> String? {
        fields.first { isNamed($0, name) }.map { string($0.value) }
    }

    func headers(_ name: String) -> [String] {
        fields.filter { isNamed($0, name) }.map { string($0.value) }
    }

    /// Calls `body` with the value of each header line of this name.
    @inline(__always)
    func forEachValue(_ name: HTTPFieldName, _ body: (UnsafeRawBufferPointer) -> Void) {
        head.withUnsafeBytes { head in
            for field in fields where field.known == name { body(head.slice(field.value)) }
        }
    }

    /// Whether a header of this name lists `token`, which must be lowercase, without regard to case.
    func lists(_ token: StaticString, in name: HTTPFieldName) -> Bool {
        var found = false
        forEachValue(name) { value in
            // Most lists have one element.
            found = found || HTTPSyntax.matches(value, token)
            if found { return }
            HTTPSyntax.forEachListElement(of: value) { element in
                found = found || HTTPSyntax.matches(element, token)
            }
        }
        return found
    }

    func string(_ slice: Slice) -> String {
        withBytes(of: slice) { String(decoding: $0, as: UTF8.self) }
    }

    func withBytes<R>(of slice: Slice, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        head.withUnsafeBytes { body($0.slice(slice)) }
    }

    private func isNamed(_ field: Field, _ name: String) -> Bool {
        withBytes(of: field.name) { bytes in
            bytes.count == name.utf8.count
                && zip(bytes, name.utf8).allSatisfy {
                    HTTPSyntax.lowercased($0) == HTTPSyntax.lowercased($1)
                }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of `slice`, counted from 0.
    func slice(_ slice: HTTPFields.Slice) -> UnsafeRawBufferPointer {
        // unsafe: the reader of this head made the slice, which lies within it.
        UnsafeRawBufferPointer(
            start: baseAddress.map { $0 + Int(slice.lower) }, count: slice.count)
    }
}
