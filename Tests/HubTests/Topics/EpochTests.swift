import Testing

@testable import Hub

@Suite("Epoch")
struct EpochTests {
    @Test(arguments: [1, 35, 36, 1 << 63, .max] as [UInt64])
    func `its text form is short and reads back`(value: UInt64) {
        let epoch = Epoch(rawValue: value)
        #expect(Epoch(epoch.description) == epoch)
        #expect(epoch.description.utf8.count <= 13)
    }

    @Test(arguments: ["", " ", "-1x!", "zzzzzzzzzzzzzzzz", "é"])
    func `what no epoch looks like is refused`(text: String) {
        #expect(Epoch(text) == nil)
    }
}
