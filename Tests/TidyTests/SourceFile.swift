import Glibc

/// One text file of the repository, by its path from the root.
struct SourceFile: Sendable {
    let path: String
    let lines: [String]

    init(path: String, text: String) {
        self.path = path
        // Also cuts at the two bytes of a DOS line end, which are one Character.
        lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .map(String.init)
    }

    var isSwift: Bool { path.hasSuffix(".swift") }

    /// The module's folder of a file under `Sources` or `Examples`.
    var module: String? {
        let folders = path.split(separator: "/")
        guard folders.count > 2, folders[0] == "Sources" || folders[0] == "Examples" else {
            return nil
        }
        return String(folders[1])
    }

    func isUnder(_ folder: String) -> Bool {
        path.hasPrefix(folder + "/")
    }

    /// The line without its comment, so that a rule about code does not read prose.
    func code(at index: Int) -> Substring {
        let line = lines[index]
        guard let comment = line.firstRange(of: "//") else { return line[...] }
        return line[..<comment.lowerBound]
    }

    /// A finding at every line of code that matches. A match has one of the `words` in it: looking for
    /// these first is a hundred times as fast.
    func findings(of pattern: Regex<some Any>, with words: String...) -> [Finding] {
        // The default boundary is a reader's: it takes `clock.sleep` for one word.
        let pattern = pattern.wordBoundaryKind(.simple)
        return lines(with: words).filter { code(at: $0).contains(pattern) }.map(finding)
    }

    /// A finding at every line that matches, comments and all.
    func findings(inText pattern: Regex<some Any>, with words: String...) -> [Finding] {
        let pattern = pattern.wordBoundaryKind(.simple)
        return lines(with: words).filter { lines[$0].contains(pattern) }.map(finding)
    }

    /// The lines in which one of the words stands.
    func lines(with words: [String]) -> [Int] {
        lines.indices.filter { index in
            words.contains { word in
                lines[index].withCString { line in strstr(line, word) != nil }
            }
        }
    }

    func finding(at index: Int) -> Finding {
        Finding(path: path, line: index + 1, text: lines[index])
    }
}

/// A place where the tree breaks a rule.
struct Finding: CustomStringConvertible, Sendable {
    let path: String
    let line: Int
    let text: String

    var description: String {
        "\(path):\(line): \(text.trimmingPrefix(while: \.isWhitespace))"
    }
}
