import Testing

@testable import RPC

@Suite("RequestBytes and metadata that share them")
struct RequestBytesTests {
    /// A request with one entry of metadata and a payload that makes it so many bytes long.
    private func request(_ number: UInt8, bytes count: Int) -> [UInt8] {
        let metadata: [UInt8] = [0x2a, 6, 0x0a, 1, UInt8(ascii: "n"), 0x12, 1, number]
        let payload = count - metadata.count - 3
        return metadata + [0x1a, UInt8(payload & 0x7f) | 0x80, UInt8(payload >> 7)]
            + [UInt8](repeating: 7, count: payload)
    }

    /// What came with `request`, whose data `bytes` get.
    private func metadata(_ request: [UInt8], in bytes: RequestBytes) throws -> RPCMetadata {
        request.withUnsafeBytes { bytes.append($0) }
        return RPCMetadata(try RequestEnvelope(bytes.bytes), of: bytes)
    }

    @Test(arguments: [200, RequestBytes.sharedBytesMax, RequestBytes.sharedBytesMax + 1])
    func `metadata that are kept outlive their request`(count: Int) throws {
        var bytes = RequestBytes()
        var kept: [RPCMetadata] = []
        for number in UInt8(ascii: "a")...UInt8(ascii: "e") {
            kept.append(try metadata(request(number, bytes: count), in: bytes))
            RequestBytes.renew(&bytes)
            #expect(bytes.bytes.isEmpty)
        }
        #expect(kept.map { $0["n"] } == ["a", "b", "c", "d", "e"])
    }

    @Test func `small requests are kept for their metadata's sake, larger ones are not`() throws {
        for (count, isKept) in [
            (RequestBytes.sharedBytesMax, true), (RequestBytes.sharedBytesMax + 1, false),
        ] {
            var bytes = RequestBytes()
            let metadata = try metadata(request(UInt8(ascii: "a"), bytes: count), in: bytes)
            #expect(isKnownUniquelyReferenced(&bytes) == !isKept)
            #expect(metadata["n"] == "a")
        }
    }

    /// A request of nothing but one entry of metadata, whose value has so many bytes.
    private func request(valueBytes count: Int) -> [UInt8] {
        let value = [UInt8](repeating: 7, count: count)
        let entry = [0x0a, 1, UInt8(ascii: "n"), 0x12] + varint(count) + value
        return [0x2a] + varint(entry.count) + entry
    }

    private func varint(_ number: Int) -> [UInt8] {
        number < 0x80 ? [UInt8(number)] : [UInt8(number & 0x7f) | 0x80] + varint(number >> 7)
    }

    private func metadata(
        of request: [UInt8], by shelf: ServedCallShelf
    ) throws -> RPCMetadata {
        try request.withUnsafeBytes { shelf.metadata(try RequestEnvelope($0), of: $0) }
    }

    /// Of large metadata the shelf's memory grew; small ones that follow must not keep it.
    @Test(arguments: [RequestBytes.sharedBytesMax + 1, 8 << 10, 64 << 10])
    func `metadata that an inline handler keeps hold no more than small memory`(
        before: Int
    ) throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let shelf = connection.peer.shelf
        do {
            let metadata = try metadata(of: request(valueBytes: before), by: shelf)
            #expect(metadata["n"]?.utf8.count == before)
        }
        let small = request(UInt8(ascii: "a"), bytes: 200)
        for _ in 0..<2 {
            let kept = try metadata(of: small, by: shelf)
            #expect(kept["n"] == "a")
            #expect(kept.received?.isShareable == true)
        }
    }

    @Test func `memory that nobody holds is used again`() throws {
        var bytes = RequestBytes()
        let first = ObjectIdentifier(bytes)
        for number in UInt8(ascii: "a")...UInt8(ascii: "e") {
            #expect(try metadata(request(number, bytes: 200), in: bytes)["n"] != nil)
            RequestBytes.renew(&bytes)
        }
        #expect(ObjectIdentifier(bytes) == first)
    }
}
