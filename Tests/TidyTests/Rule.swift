/// Something the formatter cannot check.
struct Rule: CustomStringConvertible, Sendable {
    let description: String
    /// Which files the rule is about.
    let covers: @Sendable (SourceFile) -> Bool
    /// Where a file breaks it.
    let findings: @Sendable (SourceFile) -> [Finding]
    /// Files that break it, each for one reason: what shows that the rule can fail.
    let bad: [SourceFile]
    /// Files near the edge that keep it.
    let good: [SourceFile]

    static let all: [Rule] = [
        fileLength, folderNames, openEnds, printing, foundation, sendability, discardedErrors,
        platformConditions, imports, coreTests, sansIO, sleeps, machinePaths, registries,
        secrets,
    ]

    func check(_ file: SourceFile) -> [Finding] {
        covers(file) ? findings(file) : []
    }
}

extension Rule {
    /// A file of one name for a sample.
    static func sample(_ path: String, _ lines: String...) -> SourceFile {
        SourceFile(path: path, text: lines.joined(separator: "\n"))
    }
}
