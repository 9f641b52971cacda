/// The parameters of one `permessage-deflate` element as it stands in a header (RFC 7692 §7.1).
///
/// An offer and an answer have the same four; what each may say is judged by
/// ``CompressionConfiguration``.
struct DeflateParameters: Hashable, Sendable {
    /// Window bits that a parameter names, if it is there and names any.
    enum WindowBits: Hashable, Sendable {
        case absent
        /// The parameter without a value, which only the offer of `client_max_window_bits` may be.
        case unspecified
        case bits(Int)
    }

    /// Why an element is refused (RFC 7692 §7.1: to be declined in an offer, to fail the
    /// connection in an answer).
    enum Defect: Hashable, Sendable {
        case unknownParameter
        case duplicateParameter
        case invalidValue
    }

    var serverNoContextTakeover = false
    var clientNoContextTakeover = false
    var serverWindowBits = WindowBits.absent
    var clientWindowBits = WindowBits.absent
    /// The first thing that is wrong with it, or `nil`.
    private(set) var defect: Defect?

    /// Takes the next parameter of the element; `value` is `nil` where none is given.
    mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
        guard defect == nil else { return }
        if HTTPSyntax.matches(name, "server_no_context_takeover") {
            defect = Self.set(&serverNoContextTakeover, value)
        } else if HTTPSyntax.matches(name, "client_no_context_takeover") {
            defect = Self.set(&clientNoContextTakeover, value)
        } else if HTTPSyntax.matches(name, "server_max_window_bits") {
            // Only the client's own parameter may stand without a value (RFC 7692 §7.1.2.1).
            defect = value == nil ? .invalidValue : Self.set(&serverWindowBits, value)
        } else if HTTPSyntax.matches(name, "client_max_window_bits") {
            defect = Self.set(&clientWindowBits, value)
        } else {
            defect = .unknownParameter
        }
    }

    private static func set(_ flag: inout Bool, _ value: UnsafeRawBufferPointer?) -> Defect? {
        guard !flag else { return .duplicateParameter }
        flag = true
        return value == nil ? nil : .invalidValue
    }

    private static func set(_ bits: inout WindowBits, _ value: UnsafeRawBufferPointer?) -> Defect? {
        guard bits == .absent else { return .duplicateParameter }
        guard let value else {
            bits = .unspecified
            return nil
        }
        guard let number = windowBits(value) else { return .invalidValue }
        bits = .bits(number)
        return nil
    }

    /// A decimal number from 8 to 15 without leading zeros (RFC 7692 §7.1.2).
    private static func windowBits(_ value: UnsafeRawBufferPointer) -> Int? {
        switch value.count {
        case 1 where value[0] == 0x38 || value[0] == 0x39:
            Int(value[0]) - 0x30
        case 2 where value[0] == 0x31 && (0x30...0x35).contains(value[1]):
            10 + Int(value[1]) - 0x30
        default: nil
        }
    }
}
