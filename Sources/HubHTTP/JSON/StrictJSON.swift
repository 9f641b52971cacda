import HubWire
import WSFrame

/// Tells whether a text is one JSON object that every reader takes for the same.
///
/// A decoder looks closely only at what it is asked for, and what nobody asks for is passed on as it
/// stands: to devices whose parsers are stricter, in messages that have to be UTF-8.
enum StrictJSON {
    /// Whether `text` is an object in UTF-8 (RFC 8259 §8.1) whose members have names that differ, and
    /// are written without escapes (§4).
    ///
    /// Complexity: O(bytes).
    static func isObject(_ text: [UInt8]) -> Bool {
        guard isUTF8(text), HubWire.JSONFields.isValue(text.span.bytes),
            let names = JSONMember.names(in: text)
        else { return false }
        return Set(names).count == names.count
            && !names.contains { $0.contains(UInt8(ascii: "\\")) }
    }

    private static func isUTF8(_ text: [UInt8]) -> Bool {
        var validator = UTF8Validator()
        return validator.validate(text.span.bytes) && validator.isAtBoundary
    }
}
