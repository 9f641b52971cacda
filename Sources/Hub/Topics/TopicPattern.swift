/// Which topics are meant, by their names: segments between slashes, such as `rooms/kitchen`.
///
/// `*` stands for any one segment, and `**` at the end for one or more. Everything else is compared
/// byte for byte, so that a pattern without either names one topic.
public struct TopicPattern: Hashable, Sendable, CustomStringConvertible,
    ExpressibleByStringLiteral
{
    private static let one = ExactName("*")
    private static let rest = ExactName("**")

    private let segments: [ExactName]
    private let isOpen: Bool

    /// Creates a pattern.
    ///
    /// - Parameter text: The pattern; `**` elsewhere than at its end is taken literally.
    public init(_ text: String) {
        var segments = Self.segments(of: text)
        isOpen = segments.last == Self.rest
        if isOpen { segments.removeLast() }
        self.segments = segments
    }

    public init(stringLiteral text: String) {
        self.init(text)
    }

    /// Whether it means the topic of that name.
    ///
    /// Complexity: O(bytes of both).
    public func fits(_ topic: String) -> Bool {
        let names = Self.segments(of: topic)
        guard isOpen ? names.count > segments.count : names.count == segments.count else {
            return false
        }
        return zip(segments, names).allSatisfy { $0 == Self.one || $0 == $1 }
    }

    public var description: String {
        (segments + (isOpen ? [Self.rest] : [])).map(\.string).joined(separator: "/")
    }

    private static func segments(of text: String) -> [ExactName] {
        text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { ExactName(String(Substring($0))) }
    }
}
