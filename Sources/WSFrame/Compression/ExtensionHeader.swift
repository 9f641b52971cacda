/// The elements of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), read in one pass.
struct ExtensionHeader {
    static let deflateName = "permessage-deflate"

    /// The elements that name `permessage-deflate`, in their order.
    private(set) var deflate: [DeflateParameters] = []
    /// How many elements name another extension.
    private(set) var others = 0
    /// Whether all lines so far follow the grammar; otherwise the handshake fails (RFC 6455 §9.1).
    private(set) var isWellFormed = true

    /// Takes the value of one header line; several are as one with commas between.
    ///
    /// Complexity: O(bytes).
    mutating func add(_ line: UnsafeRawBufferPointer) {
        var scanner = Scanner(bytes: line)
        while isWellFormed {
            scanner.skipSpace()
            if scanner.isAtEnd { return }
            // Empty elements of a list mean nothing (RFC 9110 §5.6.1).
            if scanner.skip(0x2C) { continue }
            addElement(&scanner)
        }
    }

    private mutating func addElement(_ scanner: inout Scanner) {
        guard let name = scanner.token() else {
            isWellFormed = false
            return
        }
        let isDeflate = HTTPSyntax.matches(name, "permessage-deflate")
        var parameters = DeflateParameters()
        scanner.skipSpace()
        while scanner.skip(0x3B) {
            scanner.skipSpace()
            guard let parameter = scanner.token() else {
                isWellFormed = false
                return
            }
            scanner.skipSpace()
            var value: UnsafeRawBufferPointer?
            if scanner.skip(0x3D) {
                scanner.skipSpace()
                value = scanner.tokenOrQuoted()
                guard value != nil else {
                    isWellFormed = false
                    return
                }
                scanner.skipSpace()
            }
            if isDeflate { parameters.add(parameter, value) }
        }
        guard scanner.isAtEnd || scanner.skip(0x2C) else {
            isWellFormed = false
            return
        }
        if isDeflate { deflate.append(parameters) } else { others += 1 }
    }

    /// Reads the bytes of a line from its start to its end, each once.
    private struct Scanner {
        let bytes: UnsafeRawBufferPointer
        private var offset = 0

        init(bytes: UnsafeRawBufferPointer) {
            self.bytes = bytes
        }

        var isAtEnd: Bool { offset == bytes.count }

        mutating func skipSpace() {
            while offset < bytes.count, HTTPSyntax.isWhitespace(bytes[offset]) { offset += 1 }
        }

        /// Whether the next byte is `byte`; then it is passed.
        mutating func skip(_ byte: UInt8) -> Bool {
            guard offset < bytes.count, bytes[offset] == byte else { return false }
            offset += 1
            return true
        }

        mutating func token() -> UnsafeRawBufferPointer? {
            let start = offset
            while offset < bytes.count, HTTPSyntax.isTokenByte(bytes[offset]) { offset += 1 }
            guard offset > start else { return nil }
            return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
        }

        /// A token, in quotes or not. With an escape in it the backslash stays, so that no
        /// parameter known here takes the value.
        mutating func tokenOrQuoted() -> UnsafeRawBufferPointer? {
            guard skip(0x22) else { return token() }
            let start = offset
            while offset < bytes.count, bytes[offset] != 0x22 {
                if bytes[offset] == 0x5C { offset += 1 }
                guard offset < bytes.count, HTTPSyntax.isTokenByte(bytes[offset]) else {
                    return nil
                }
                offset += 1
            }
            let end = offset
            guard skip(0x22), end > start else { return nil }
            return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        }
    }
}
