/// An error of the program's own that travels: a handler throws it, and its caller reads it again.
///
///     struct OutOfStock: RPCTypedError, RPCJSONMessage {
///         static let typeURL = "type.googleapis.com/shop.OutOfStock"
///         var left: Int
///         var code: StatusCode { .failedPrecondition }
///     }
///
///     do {
///         try await client.call(Shop.order, order)
///     } catch {
///         guard let shortage = error.typed(OutOfStock.self) else { throw error }
///         print("only \(shortage.left) left")
///     }
///
/// It goes as a detail of the status, encoded as its messages are; who does not know it sees the
/// status.
public protocol RPCTypedError: Error, RPCMessage {
    /// Its name on the wire, as google.protobuf.Any has it: `type.googleapis.com/shop.OutOfStock`.
    static var typeURL: String { get }
    /// The status that it goes with; not ``StatusCode/ok``.
    var code: StatusCode { get }
}

extension RPCError {
    /// With `error` as its detail; ``StatusCode/internal`` where that cannot be encoded.
    public init<Typed: RPCTypedError>(_ error: Typed, _ message: String = "") {
        var payload = PayloadWriter()
        do {
            try error.encode(to: &payload)
        } catch {
            self.init(.internal, "the error cannot be encoded")
            return
        }
        let value = payload.withSpan { $0.withUnsafeBytes { Array($0) } }
        self.init(error.code, message, details: [Detail(typeURL: Typed.typeURL, value: value)])
    }

    /// The error of this type that the other side threw; `nil` where there is none, or it cannot be
    /// decoded. Complexity: O(details).
    public func typed<Typed: RPCTypedError>(_ type: Typed.Type) -> Typed? {
        guard let detail = details.first(where: { $0.typeURL.isSameBytes(as: Typed.typeURL) })
        else { return nil }
        // What cannot be decoded is another type's, whatever its name says.
        return try? Typed(decoding: detail.value.span.bytes)
    }
}
