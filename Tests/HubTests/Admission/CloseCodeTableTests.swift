import Glibc
import Hub
import Testing
import WSFrame

@Suite("PROTOCOL.md, codes of closes and refusals")
struct CloseCodeTableTests {
    /// Statuses by close code, as the table has them.
    private static func table() throws -> [UInt16: Int?] {
        let path = #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
        let file = try #require(fopen("\(path)/Sources/Hub/PROTOCOL.md", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        let text = String(decoding: bytes.prefix(count), as: UTF8.self)
        let lines = text.split(separator: "\n").drop { !$0.hasPrefix("| close | status |") }
        var statuses: [UInt16: Int?] = [:]
        for line in lines.dropFirst(2).prefix(while: { $0.hasPrefix("|") }) {
            let cells = line.split(separator: "|").map { $0.filter { $0 != " " } }
            statuses[try #require(UInt16(cells[0]))] = .some(Int(cells[1]))
        }
        return statuses
    }

    @Test(arguments: AdmissionRefusal.Reason.allCases)
    func `each refusal has its row`(reason: AdmissionRefusal.Reason) throws {
        let refusal = AdmissionRefusal(reason)
        let status = try #require(try Self.table()[refusal.closeCode.rawValue])
        #expect(status == Int(refusal.response.status.rawValue))
    }

    @Test func `each row with a status is a refusal's`() throws {
        let codes = AdmissionRefusal.Reason.allCases.map {
            AdmissionRefusal($0).closeCode.rawValue
        }
        let rows = try Self.table().filter { $0.value != nil }.keys
        #expect(Set(rows) == Set(codes))
    }
}
