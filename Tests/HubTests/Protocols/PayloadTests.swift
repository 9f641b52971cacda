import Testing

@testable import Hub

@Suite("Payloads")
struct PayloadTests {
    /// A decoder of JSON takes it for UTF-16 or UTF-32, and its names would not have been looked at.
    @Test(arguments: [1, 3])
    func `what has zeros between its characters is not decoded`(zeros: Int) throws {
        let text = Array(#"{"a":1}"#.utf8)
        let plain = try Payload(text, format: .json).decoded(as: [String: Int].self)
        #expect(plain == ["a": 1])
        let gap = [UInt8](repeating: 0, count: zeros)
        let wide = text.flatMap { [$0] + gap }
        #expect(throws: EventError.self) {
            try Payload(wide, format: .text).decoded(as: [String: Int].self)
        }
    }

    @Test func `what begins with a byte order mark is not decoded`() {
        for mark: [UInt8] in [[0xEF, 0xBB, 0xBF], [0xFE, 0xFF], [0xFF, 0xFE]] {
            #expect(throws: EventError.self) {
                try Payload(mark + Array("1".utf8), format: .json).decoded(as: Int.self)
            }
        }
    }

    @Test func `names of combining marks are not decoded`() {
        let name = String(repeating: "\u{323}\u{301}", count: 1_000)
        #expect(throws: EventError.self) {
            try Payload(text: "{\"\(name)\":1}").decoded(as: [String: Int].self)
        }
    }
}
