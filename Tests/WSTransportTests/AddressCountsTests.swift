import NetPoll
import Testing

@testable import WSTransport

@Suite("AddressCounts")
struct AddressCountsTests {
    private func address(_ host: String) throws -> SocketAddress {
        try SocketAddress(host: host, port: 1)
    }

    private func admits(_ counts: AddressCounts, _ host: String) throws -> Bool {
        counts.admit(try address(host)) != nil
    }

    @Test func `an address has so many connections, and room again when one ends`() throws {
        let counts = AddressCounts(most: 2)
        do {
            let first = counts.admit(try address("192.0.2.1"))
            let second = counts.admit(try address("192.0.2.1"))
            #expect(counts.networks == 1)
            #expect(try !admits(counts, "192.0.2.1"))
            #expect(try admits(counts, "192.0.2.2"))
            _ = consume second
            #expect(try admits(counts, "192.0.2.1"))
            _ = consume first
        }
        #expect(counts.networks == 0)
    }

    @Test(arguments: [
        ("2001:db8::1", "2001:db8::2", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("192.0.2.1", "192.0.2.9", false),
    ])
    func `an IPv6 network of 64 bits counts as one address`(
        first: String, second: String, isSame: Bool
    ) throws {
        let counts = AddressCounts(most: 1)
        let permit = counts.admit(try address(first))
        #expect(counts.networks == 1)
        #expect(try admits(counts, second) == !isSame)
        _ = consume permit
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    func `loopback is not counted`(host: String) throws {
        let counts = AddressCounts(most: 0)
        #expect(try admits(counts, host))
        #expect(counts.networks == 0)
    }
}
