public import MessagePack

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
    ) throws(Unfit) -> (repeat each Parameter) {
        do {
            let pack = try MessagePackDecoder(limits: limits).decode(
                ParameterPack<repeat each Parameter>.self, from: encoded)
            return (repeat each pack.values)
        } catch {
            throw Unfit(text: "\(error)")
        }
    }
}

/// Values of several types as one array.
struct ParameterPack<each Parameter> {
    let values: (repeat each Parameter)

    init(_ values: repeat each Parameter) {
        self.values = (repeat each values)
    }
}

extension ParameterPack: Decodable where repeat each Parameter: Decodable {
    init(from decoder: any Decoder) throws {
        var array = try decoder.unkeyedContainer()
        values = (repeat try array.decode((each Parameter).self))
        guard array.isAtEnd else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: array.codingPath,
                    debugDescription: "more than \(array.currentIndex)"))
        }
    }
}

extension ParameterPack: Encodable where repeat each Parameter: Encodable {
    func encode(to encoder: any Encoder) throws {
        var array = encoder.unkeyedContainer()
        repeat try array.encode(each values)
    }
}
