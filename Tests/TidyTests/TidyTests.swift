import Testing

@Suite("The tree")
struct TidyTests {
    @Test(arguments: Rule.all)
    func `keeps the rule`(rule: Rule) {
        let findings = Tree.files.flatMap(rule.check)
        #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
    }

    @Test func `is there to be read`() {
        #expect(Tree.files.contains { $0.path == "Package.swift" })
        #expect(Tree.files.contains { $0.isUnder("Sources/NetPoll") })
    }

    @Test func `has no lock file of the package manager`() {
        // Outside of a checkout, as in a released archive, there is nothing to ask.
        #expect((Tree.tracked(endingWith: "Package.resolved") ?? []).isEmpty)
    }

    @Test func `needs every exemption`() {
        let paths = Dictionary(grouping: Tree.files, by: \.path).compactMapValues(\.first)
        let unsafe = /@unchecked\s+Sendable\b|\bnonisolated\(unsafe\)/
        for path in Exemptions.unchecked.keys {
            let findings = paths[path]?.findings(of: unsafe, with: "@unchecked", "nonisolated(")
            #expect(findings?.isEmpty == false, "\(path)")
        }
        let foundation = /\bimport\s+FoundationEssentials\b/
        for path in Exemptions.foundationEssentials.keys {
            let findings = paths[path]?.findings(of: foundation, with: "Foundation")
            #expect(findings?.isEmpty == false, "\(path)")
        }
    }
}

@Suite("A rule")
struct RuleTests {
    @Test(arguments: Rule.all)
    func `finds each sample that breaks it`(rule: Rule) {
        #expect(!rule.bad.isEmpty)
        for sample in rule.bad {
            #expect(!rule.check(sample).isEmpty, "\(sample.path): \(sample.lines)")
        }
    }

    @Test(arguments: Rule.all)
    func `passes each sample that keeps it`(rule: Rule) {
        #expect(!rule.good.isEmpty)
        for sample in rule.good {
            #expect(rule.check(sample).isEmpty, "\(sample.path): \(sample.lines)")
        }
    }

    @Test func `reads code, not comments`() {
        let file = SourceFile(path: "a", text: "let a = 1  // print(a)\r\nlet b = 2")
        #expect(file.lines.count == 2)
        #expect(file.code(at: 0) == "let a = 1  ")
    }

    @Test func `says the place`() {
        let file = SourceFile(path: "Sources/A.swift", text: "\n    print(1)")
        #expect(file.finding(at: 1).description == "Sources/A.swift:2: print(1)")
    }
}
