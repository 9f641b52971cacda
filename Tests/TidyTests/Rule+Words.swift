extension Rule {
    static let openEnds = Rule(
        description: "nothing is left open in code",
        covers: { ($0.isUnder("Sources") || $0.isUnder("Examples")) && $0.isSwift },
        findings: {
            $0.findings(
                inText: /\b(TODO|FIXME|XXX)\b|fatalError\("not implemented/,
                with: "TODO", "FIXME", "XXX", "fatalError")
        },
        bad: [
            sample("Sources/Hub/A.swift", "// TODO: later"),
            sample("Examples/WSEcho/A.swift", "/* FIXME */"),
            sample("Sources/Hub/A.swift", "fatalError(\"not implemented yet\")"),
        ],
        good: [sample("Sources/Hub/A.swift", "// All of it is here.")]
    )

    static let printing = Rule(
        description: "a library prints nothing",
        covers: { $0.isUnder("Sources") && $0.isSwift },
        findings: { $0.findings(of: /\b(print|debugPrint|dump)\(/, with: "rint(", "dump(") },
        bad: [
            sample("Sources/Hub/A.swift", "    print(\"here\")"),
            sample("Sources/Hub/A.swift", "debugPrint(state)"),
        ],
        good: [
            sample("Sources/Hub/A.swift", "/// print(answer)", "let blueprint = footprint(of: a)")
        ]
    )

    static let foundation = Rule(
        description: "no Foundation; FoundationEssentials where JSON is spoken",
        covers: { ($0.isUnder("Sources") || $0.isUnder("Examples")) && $0.isSwift },
        findings: { file in
            let spoken = Exemptions.foundationEssentials[file.path] != nil
            let imports = file.findings(of: /\bimport\s+Foundation/, with: "Foundation")
            return imports.filter { finding in
                !(spoken && finding.text.contains(/\bimport\s+FoundationEssentials\s*$/))
            }
        },
        bad: [
            sample("Sources/Hub/A.swift", "import Foundation"),
            sample("Sources/Hub/A.swift", "public import FoundationEssentials"),
            sample("Examples/ChatServer/A.swift", "import FoundationNetworking"),
        ],
        good: [sample("Sources/Hub/A.swift", "import Synchronization")]
    )

    static let sendability = Rule(
        description: "sendability is proved, or listed with a reason",
        covers: { ($0.isUnder("Sources") || $0.isUnder("Examples")) && $0.isSwift },
        findings: { file in
            guard Exemptions.unchecked[file.path] == nil else { return [] }
            return file.findings(
                of: /@unchecked\s+Sendable\b|\bnonisolated\(unsafe\)/,
                with: "@unchecked", "nonisolated(")
        },
        bad: [
            sample("Sources/Hub/A.swift", "final class A: @unchecked Sendable {}"),
            sample("Examples/ChatServer/A.swift", "nonisolated(unsafe) var a = 0"),
        ],
        good: [
            sample("Sources/Hub/A.swift", "/// Not `@unchecked Sendable`.", "struct A: Sendable {}")
        ]
    )

    static let discardedErrors = Rule(
        description: "a discarded error has a comment that says why",
        covers: { ($0.isUnder("Sources") || $0.isUnder("Examples")) && $0.isSwift },
        findings: { file in
            file.lines(with: ["try?", "catch"]).filter { index in
                let code = file.code(at: index)
                guard code.contains(/\btry\?|\bcatch\s*\{\s*\}/) else { return false }
                let isExplained = code.endIndex != file.lines[index].endIndex
                let isExplainedAbove = index > 0 && file.lines[index - 1].contains(/^\s*\/\//)
                return !isExplained && !isExplainedAbove
            }
            .map(file.finding)
        },
        bad: [
            sample("Sources/Hub/A.swift", "let a = 1", "try? close()"),
            sample("Sources/Hub/A.swift", "do { try close() } catch {}"),
        ],
        good: [
            sample("Sources/Hub/A.swift", "try? close()  // The peer is gone already."),
            sample("Sources/Hub/A.swift", "// The peer is gone already.", "try? close()"),
        ]
    )

    static let sleeps = Rule(
        description: "no test sleeps: waiting is moving the clock",
        covers: {
            $0.isUnder("Tests") && $0.isSwift && !$0.isUnder("Tests/TidyTests")
                && Exemptions.sleeps[$0.path] == nil
        },
        findings: {
            $0.findings(
                of: /\b(Task\.sleep|Thread\.sleep|u?sleep\(|nanosleep\(|sleep\()/, with: "sleep")
        },
        bad: [
            sample("Tests/HubTests/A.swift", "try await Task.sleep(for: .seconds(1))"),
            sample("Tests/HubTests/A.swift", "usleep(1000)"),
            sample("Tests/HubTests/A.swift", "sleep(1)"),
            sample("Tests/HubTests/A.swift", "Thread.sleep(forTimeInterval: 1)"),
            sample("Tests/HubTests/A.swift", "try await clock.sleep(for: .seconds(1))"),
        ],
        good: [sample("Tests/HubTests/A.swift", "func `a loop asleep wakes`() {}  // no sleep(1)")]
    )

    static let machinePaths = Rule(
        description: "no path of one machine",
        covers: { !$0.isUnder("Tests/TidyTests") },
        findings: {
            $0.findings(
                inText: /(^|[^A-Za-z0-9_.)])\/(root|home|work|Users)\/[A-Za-z0-9_.-]/,
                with: "/root/", "/home/", "/work/", "/Users/")
        },
        bad: [
            sample("README.md", "see /home/ada/project"),
            sample("Benchmarks/run", "cd /work/checkout"),
        ],
        good: [sample("README.md", "GET /rooms, Sources/work/a, /usr/bin/env")]
    )

    static let registries = Rule(
        description: "no package registry's host",
        covers: { !$0.isUnder("Tests/TidyTests") },
        findings: {
            $0.findings(
                inText:
                    /pypi\.org|pythonhosted|deb\.debian|registry\.npmjs|crates\.io|proxy\.golang/,
                with: "pypi", "pythonhosted", "debian", "npmjs", "crates", "golang")
        },
        bad: [sample(".ci/run", "pip install --index-url https://pypi.org/simple websockets")],
        good: [sample("Package.swift", "url: \"https://github.com/apple/swift-log.git\"")]
    )
}
