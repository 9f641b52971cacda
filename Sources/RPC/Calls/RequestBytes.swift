/// The data of a request, which its metadata share while anybody holds them; used for one request
/// after another, as long as nobody does.
///
/// `@unchecked Sendable`: it is written only while nobody else holds it (``renew(_:)``).
final class RequestBytes: @unchecked Sendable {
    /// Metadata may be kept for as long as a handler likes; of larger memory they are a copy.
    static let sharedBytesMax = 1 << 10

    // Unchecked as ``PeerConnection``'s: each is one short access.
    @exclusivity(unchecked) private var memory = PayloadWriter()

    func append(_ bytes: UnsafeRawBufferPointer) { memory.append(bytes) }

    /// What was written, until it is forgotten.
    var bytes: UnsafeRawBufferPointer { memory.bytes }

    /// Lends what was written.
    func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try memory.withSpan(body)
    }

    /// Lends what was written.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(memory.bytes)
    }

    /// Whether it may be kept for the sake of some bytes.
    var isShareable: Bool { memory.capacity <= Self.sharedBytesMax }

    /// Gives memory back beyond so many bytes; what was written is forgotten.
    func trim(to keptBytesMax: Int) { memory.reset(keeping: keptBytesMax) }

    /// Forgets what was written, for the next request; what somebody holds stays as it is.
    static func renew(_ bytes: inout RequestBytes) {
        if isKnownUniquelyReferenced(&bytes) {
            bytes.memory.reset()
        } else {
            bytes = RequestBytes()
        }
    }

    /// As ``renew(_:)``, for what metadata will share however small they are: memory that grew larger
    /// is not used again, or they would keep all of it.
    static func renewToShare(_ bytes: inout RequestBytes) {
        renew(&bytes)
        if !bytes.isShareable { bytes = RequestBytes() }
    }
}
