/// A file in which secrets are compared.
struct SecretComparison: Sendable {
    /// The call that compares them, in a time that does not tell where they differ.
    let call: String
    /// Lines of the file that compare what is no secret.
    let others: Set<String>
}

extension Rule {
    /// Holds the places where secrets are compared, as the flaw class of CVE-2021-33880 asks.
    static let secrets = Rule(
        description: "secrets are compared in constant time",
        covers: {
            ($0.isUnder("Sources") || $0.isUnder("Examples")) && $0.isSwift
                // A signature that is the same for everybody.
                && $0.path != "Sources/WSTransport/ClientAddress/ProxyHeader.swift"
        },
        findings: { file in
            guard let comparison = Exemptions.secretComparisons[file.path] else {
                return file.findings(
                    of:
                        #/
                        \b(password|secret|signature|credential|apiKey)s?\b[)\]]*
                        (\.utf8)?\s*([!=]=(?!\s*nil)|\.elementsEqual\()
                        |[!=]=\s*([A-Za-z]+\.)*
                        (password|secret|signature|credential|apiKey)s?\b(?!\.count)
                        /#, with: "==", "!=", "elementsEqual")
            }
            let lines = file.lines.indices.map { (index: $0, code: file.code(at: $0)) }
            guard lines.contains(where: { $0.code.contains(comparison.call) }) else {
                return [file.finding(at: 0)]
            }
            let compares =
                #/[!=]==?|\b(elementsEqual|contains|firstIndex|starts|hasPrefix|memcmp)\b/#
                .wordBoundaryKind(.simple)
            return lines.filter { line in
                !line.code.contains(comparison.call) && line.code.contains(compares)
                    && !comparison.others.contains(
                        String(line.code.drop { $0 == " " }))
            }
            .map { file.finding(at: $0.index) }
        },
        bad: [
            sample("Sources/Hub/A.swift", "return given == credentials.password"),
            sample("Sources/Hub/A.swift", "guard secret == given else { return }"),
            sample("Sources/Hub/A.swift", "if signature.elementsEqual(given) { return }"),
            sample("Sources/HubHTTP/API/APIKeys.swift", "keys.contains(Array(key.utf8))"),
            sample(
                "Sources/HubHTTP/API/APIKeys.swift",
                "ConstantTime.firstIndex(of: key.utf8, in: keys) != nil", "|| keys[0] == bytes"),
            sample(
                "Sources/HubTokens/Tokens/ResumeKey.swift",
                "self.signature(of: payload) == signature"),
        ],
        good: [
            sample("Sources/Hub/A.swift", "guard count == secret.count else { return }"),
            sample("Sources/Hub/A.swift", "guard place.credentials == nil else { return }"),
            sample(
                "Sources/HubHTTP/API/APIKeys.swift",
                "ConstantTime.firstIndex(of: key.utf8, in: keys) != nil"),
        ]
    )
}
