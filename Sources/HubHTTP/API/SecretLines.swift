/// Reads secrets that stand in a file, or in a variable of the environment.
package enum SecretLines {
    /// The lines of a text, without the white space at their ends; without those that are empty then,
    /// and those that begin with `#`.
    package static func read(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let end = line.lastIndex { !$0.isWhitespace }
            guard let end else { return nil }
            let secret = line[...end].drop { $0.isWhitespace }
            return secret.first == "#" ? nil : String(secret)
        }
    }
}
