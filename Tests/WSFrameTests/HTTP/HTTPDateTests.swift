import Testing
import WSFrame

@Suite("HTTPDate, RFC 9110 §5.6.7")
struct HTTPDateTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func `a Unix time is written as HTTP's date`(seconds: Int, text: String) {
        #expect(HTTPDate.text(ofUnixTime: seconds) == text)
    }

    @Test func `a response is dated once`() {
        let plain = HTTPResponse(status: .ok)
        #expect(
            String(decoding: plain.encoded(for: nil, .close, date: "now"), as: UTF8.self)
                .hasPrefix("HTTP/1.1 200 OK\r\nDate: now\r\n"))
        let dated = HTTPResponse(status: .ok, headers: [HTTPHeader("date", "then")])
        let text = String(decoding: dated.encoded(for: nil, .close, date: "now"), as: UTF8.self)
        #expect(text.contains("date: then\r\n") && !text.contains("now"))
    }
}
