/// What names, rooms, texts and marks have to look like.
struct ChatRules: Sendable {
    let limits: ChatLimits

    func check(name: String) throws(ChatError) {
        let scalars = name.unicodeScalars
        guard (1...limits.nameMax).contains(scalars.count) else {
            throw ChatError(.badName, "a name has 1 to \(limits.nameMax) characters")
        }
        guard let first = scalars.first, let last = scalars.last,
            Self.isVisible(first), Self.isVisible(last),
            scalars.allSatisfy({ Self.isAllowedInName($0) })
        else {
            throw ChatError(
                .badName, "a name has no control characters and no white space at its ends")
        }
    }

    func check(room: String) throws(ChatError) {
        let scalars = room.unicodeScalars
        guard (1...limits.roomMax).contains(scalars.count) else {
            throw ChatError(.badRoom, "a room's name has 1 to \(limits.roomMax) characters")
        }
        guard scalars.allSatisfy({ Self.isAllowedInRoom($0) }) else {
            throw ChatError(.badRoom, "a room's name has only letters, digits, -, _ and .")
        }
    }

    /// Refuses a room that is too long to be compared with others: enough for one that was checked
    /// when it was joined.
    func check(bytesOf room: String) throws(ChatError) {
        guard room.utf8.count <= limits.roomMax * Self.scalarBytesMax else {
            throw ChatError(.badRoom, "a room's name has 1 to \(limits.roomMax) characters")
        }
    }

    func check(text: String) throws(ChatError) {
        let scalars = text.unicodeScalars
        guard (1...limits.textMax).contains(scalars.count) else {
            throw ChatError(.badText, "a message has 1 to \(limits.textMax) characters")
        }
        guard scalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw ChatError(.badText, "a message is not only white space")
        }
    }

    func check(ref: String?) throws(ChatError) {
        guard let ref else { return }
        guard ref.unicodeScalars.count <= limits.refMax else {
            throw ChatError(.badRef, "a ref has at most \(limits.refMax) characters")
        }
    }

    private static let scalarBytesMax = 4
    private static let zeroWidthJoiner: Unicode.Scalar = "\u{200D}"

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        !scalar.properties.isWhitespace && scalar != zeroWidthJoiner
    }

    private static func isAllowedInName(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        case .format: scalar == zeroWidthJoiner
        default: true
        }
    }

    private static func isAllowedInRoom(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark, .enclosingMark,
            .decimalNumber, .letterNumber, .otherNumber:
            true
        default:
            scalar == "-" || scalar == "_" || scalar == "."
        }
    }
}
