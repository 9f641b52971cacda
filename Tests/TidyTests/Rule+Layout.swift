extension Rule {
    static let fileLength = Rule(
        description: "a file of Sources has at most 400 lines",
        covers: { ($0.isUnder("Sources") || $0.isUnder("Examples")) && $0.isSwift },
        findings: { file in
            // The text after the last newline is not a line.
            let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
            return count > 400 ? [file.finding(at: 400)] : []
        },
        bad: [SourceFile(path: "Sources/Hub/A.swift", text: .init(repeating: "a\n", count: 401))],
        good: [SourceFile(path: "Sources/Hub/A.swift", text: .init(repeating: "a\n", count: 400))]
    )

    static let folderNames = Rule(
        description: "folders and files are named after what is in them",
        covers: { $0.isUnder("Sources") || $0.isUnder("Examples") },
        findings: { file in
            let vague: Set<Substring> = ["Utils", "Helpers", "Common", "Misc", "Internal"]
            let parts = file.path.split { $0 == "/" || $0 == "." || $0 == "+" }
            let isPart = parts.contains { $0.contains(/Part\d$/) }
            return isPart || !vague.isDisjoint(with: parts) ? [file.finding(at: 0)] : []
        },
        bad: [
            sample("Sources/Hub/Utils/A.swift", ""),
            sample("Sources/Hub/Helpers.swift", ""),
            sample("Sources/Hub/SessionPart2.swift", ""),
        ],
        good: [sample("Sources/Hub/Sessions/Session.swift", "")]
    )

    static let platformConditions = Rule(
        description: "only Platform asks for the system it is on",
        covers: { $0.isUnder("Sources") && $0.isSwift && !$0.path.contains("/Platform/") },
        findings: { $0.findings(of: /^\s*#(if|elseif)\b.*\b(os|canImport|arch)\(/, with: "#") },
        bad: [
            sample("Sources/NetPoll/Loop/A.swift", "#if os(Linux)", "#endif"),
            sample("Sources/NetPoll/Loop/A.swift", "#if DEBUG", "#elseif canImport(Glibc)"),
        ],
        good: [
            sample("Sources/NetPoll/Platform/A.swift", "#if os(Linux)", "#endif"),
            sample("Sources/NetPoll/Loop/A.swift", "#if DEBUG", "#endif"),
        ]
    )
}
