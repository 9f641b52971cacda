/// A value of an application's own type, as bytes with the type's number.
///
/// `Codable`: ``MessagePackEncoder`` and ``MessagePackDecoder`` write and read the extension format,
/// other coders a structure of the two fields.
public struct MessagePackExtension: Hashable, Sendable, Codable {
    /// From 0 on the application's, below 0 the specification's.
    public var type: Int8
    public var bytes: [UInt8]

    public init(type: Int8, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }
}
