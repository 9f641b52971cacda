/// Bytes that are no envelope.
package struct WireError: Error, Hashable, Sendable {
    /// For people.
    package let reason: String
    /// Whether the bytes are not even JSON or MessagePack: such a peer speaks another language.
    package let isSyntax: Bool
    /// The envelope's `id`, where it was found.
    package var id: UInt64?

    package init(_ reason: String, isSyntax: Bool = false) {
        self.reason = reason
        self.isSyntax = isSyntax
    }
}

/// Bounds of what is read; what goes beyond is refused.
enum WireLimits {
    /// Arrays and objects within each other in a payload or in a field that is passed over.
    static let depthMax = 32
    /// Fields and elements of lists of one envelope.
    static let elementsMax = 65_536
}
