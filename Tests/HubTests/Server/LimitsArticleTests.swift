import Foundation
import Hub
import Testing

@Suite("The article on limits")
struct LimitsArticleTests {
    /// The values of the types that the article has rows of, by how it names them.
    private static let values: [String: Int?] = {
        var found: [String: Int?] = [:]
        let subjects: [(String, Any)] = [
            ("HubConfiguration", HubConfiguration()),
            ("HubConfiguration/TopicLimits", HubConfiguration.TopicLimits()),
            ("UnicastLimits", UnicastLimits()), ("InboxPolicy", InboxPolicy()),
        ]
        for (type, subject) in subjects {
            for child in Mirror(reflecting: subject).children {
                guard let label = child.label else { continue }
                found.updateValue(code(child.value), forKey: "\(type)/\(label)")
            }
        }
        return found
    }()

    /// The article's rows: a bound's name and what it says to be the default.
    private static let rows: [(name: String, text: String)] = {
        let article = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources/Hub/Hub.docc/Limits.md").standardized
        let text = (try? String(contentsOf: article, encoding: .utf8)) ?? ""
        return text.matches(of: /(?m)^\| ``([A-Za-z\/]+)`` \| ([^|]+) \|/)
            .map { (String($0.output.1), String($0.output.2)) }
    }()

    private static func number(_ text: Substring) -> Int? {
        Int(text.filter { $0 != "," })
    }

    /// What a row says, in the unit of the value: a count, bytes, or milliseconds.
    private static func said(_ text: String) -> Int? {
        let parts = text.split(separator: " ")
        guard let number = parts.first.flatMap({ number($0) }) else { return nil }
        switch parts.dropFirst().first {
        case nil: return number
        case "KiB": return number << 10
        case "MiB": return number << 20
        case "ms": return number
        case "s": return number * 1_000
        default: return nil
        }
    }

    private static func code(_ value: Any) -> Int? {
        switch value {
        case let number as Int: number
        case let time as Duration: Int(time / .milliseconds(1))
        default: nil
        }
    }

    @Test func `has the defaults of the code`() throws {
        #expect(Self.rows.count > 25)
        for (name, text) in Self.rows {
            let value = try #require(Self.values[name], "there is no \(name)")
            #expect(Self.said(text) == value, "\(name) is not \(text)")
        }
    }

    @Test func `leaves no bound out`() {
        let named = Set(Self.rows.map(\.name))
        for name in Self.values.keys
        where name.hasSuffix("Max") || name.hasSuffix("Timeout") || name.hasSuffix("Interval") {
            #expect(named.contains(name), "\(name) is missing")
        }
    }
}
