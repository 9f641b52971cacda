import Foundation
import FuzzTargets
import Testing

/// The inputs that fuzzing began with, and those that once found something.
@Suite("Cases of the fuzzers")
struct FuzzCaseTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let target: FuzzTarget
        let name: String
        let input: [UInt8]

        var testDescription: String { "\(target.rawValue): \(name)" }
    }

    /// A line of `Cases/TARGET.txt` is a name, a colon and the input's bytes in hexadecimal.
    private static func cases(of target: FuzzTarget) throws -> [Case] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Cases")
        let text = try String(
            contentsOf: folder.appending(path: "\(target.rawValue).txt"), encoding: .utf8)
        return try text.split(separator: "\n").map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            try #require(parts.count == 2, "\(line)")
            let digits = parts[1].filter { !$0.isWhitespace }
            try #require(digits.count.isMultiple(of: 2), "\(parts[0])")
            var input: [UInt8] = []
            var rest = digits[...]
            while !rest.isEmpty {
                input.append(try #require(UInt8(rest.prefix(2), radix: 16), "\(parts[0])"))
                rest = rest.dropFirst(2)
            }
            return Case(target: target, name: String(parts[0]), input: input)
        }
    }

    @Test(arguments: FuzzTarget.allCases)
    func `nothing is found in any of them`(target: FuzzTarget) throws {
        let cases = try Self.cases(of: target)
        #expect(!cases.isEmpty)
        for one in cases {
            #expect(target.finding(in: one.input) == nil, "\(one.testDescription)")
        }
    }

    /// Cut at every place too, so that one case stands for all its beginnings.
    @Test(arguments: FuzzTarget.allCases)
    func `nothing is found in their beginnings`(target: FuzzTarget) throws {
        for one in try Self.cases(of: target) {
            for count in 0..<min(one.input.count, 600) {
                let finding = target.finding(in: Array(one.input[..<count]))
                #expect(finding == nil, "\(one.testDescription), first \(count)")
            }
        }
    }
}
