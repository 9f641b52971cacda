import NetPoll
import Testing

@testable import Hub

@Suite("AddressLimiter")
struct AddressLimiterTests {
    private func address(_ host: String) throws -> SocketAddress {
        try SocketAddress(host: host, port: 1)
    }

    private func admits(_ limiter: AddressLimiter, _ host: String) throws -> Bool {
        limiter.admit(try address(host)) != nil
    }

    @Test func `an address has so many connections, and room again when one ends`() throws {
        let limiter = AddressLimiter(connectionsMax: 2)
        do {
            let first = limiter.admit(try address("192.0.2.1"))
            let second = limiter.admit(try address("192.0.2.1"))
            #expect(limiter.networks == 1)
            #expect(try !admits(limiter, "192.0.2.1"))
            #expect(try admits(limiter, "192.0.2.2"))
            _ = consume second
            #expect(try admits(limiter, "192.0.2.1"))
            _ = consume first
        }
        #expect(limiter.networks == 0)
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
        let limiter = AddressLimiter(connectionsMax: 1)
        let permit = limiter.admit(try address(first))
        #expect(limiter.networks == 1)
        #expect(try admits(limiter, second) == !isSame)
        _ = consume permit
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    func `loopback is not counted`(host: String) throws {
        let limiter = AddressLimiter(connectionsMax: 0)
        #expect(try admits(limiter, host))
        #expect(limiter.networks == 0)
    }
}
