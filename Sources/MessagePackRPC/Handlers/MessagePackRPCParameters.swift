internal import MessagePack

/// The parameters of a request or a notification: an array.
public struct MessagePackRPCParameters: Sendable {
    /// Parameters that are not what the handler wants; where it throws this on, the caller is told.
    public struct Unfit: Error, Hashable, Sendable {
        /// What is wrong with them.
        public let text: String
    }

    /// As they came.
    public let encoded: [UInt8]
    private let limits: MessagePackReader.Limits

    init(encoded: [UInt8], limits: MessagePackReader.Limits) {
        self.encoded = encoded
        self.limits = limits
    }

    /// Decodes them one by one.
    ///
    /// - Parameter types: Of all parameters; an optional one may be `nil`, and must not be missing.
    /// - Returns: The parameters.
    /// - Throws: ``Unfit`` where one is of another type, or there are more or fewer.
    public func decode<each Parameter: Decodable>(
        _ types: repeat (each Parameter).Type
    ) throws -> (repeat each Parameter) {
        var list = ParameterReader(encoded, limits)
        let values = (repeat try list.next(each types))
        try list.end()
        return values
    }
}
