import HubWire

/// Envelopes of a stranger: what is read comes back the same from either form, and reading anything
/// at all ends in an envelope or an error.
enum EnvelopeCheck {
    static func finding(in input: [UInt8], isJSON: Bool) -> String? {
        // Text frames are UTF-8 before anybody reads them.
        if isJSON, String(validating: input, as: UTF8.self) == nil { return nil }
        let fields: FieldSet
        do throws(WireError) {
            fields =
                try isJSON
                ? JSONFields.read(input.span.bytes) : MessagePackFields.read(input.span.bytes)
        } catch {
            return nil
        }
        let json = JSONFields.write(fields)
        guard String(validating: json, as: UTF8.self) != nil, JSONFields.isValue(json.span.bytes)
        else { return "\(fields) is written as what is not JSON" }
        do throws(WireError) {
            let first = try JSONFields.read(json.span.bytes)
            if first != fields { return "\(fields) came back from JSON as \(first)" }
            let packed = MessagePackFields.write(fields)
            let second = try MessagePackFields.read(packed.span.bytes)
            if second != fields { return "\(fields) came back from MessagePack as \(second)" }
        } catch {
            return "\(fields) does not come back: \(error)"
        }
        return nil
    }
}
