import Hub
import Testing

@Suite("PageFill")
struct PageFillTests {
    @Test func `a page ends at so many messages or bytes, whichever comes first`() {
        var byMessages = PageFill(PageLimit(messagesMax: 2, bytesMax: 100))
        #expect([1, 1, 1].map { byMessages.admits($0) } == [true, true, false])
        var byBytes = PageFill(PageLimit(messagesMax: 10, bytesMax: 100))
        #expect([60, 40, 1].map { byBytes.admits($0) } == [true, true, false])
    }

    @Test func `a first message that is too large comes alone`() {
        var fill = PageFill(PageLimit(messagesMax: 10, bytesMax: 100))
        #expect([101, 0, 1].map { fill.admits($0) } == [true, false, false])
    }
}
