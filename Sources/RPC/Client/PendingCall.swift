/// A call of this side's, from its request to its reply; used again when it is over.
///
/// `@unchecked Sendable`: the caller's task writes it before it is submitted and reads it after it
/// was resumed; in between it is the loop's alone.
final class PendingCall: @unchecked Sendable {
    enum Stage: Hashable {
        /// The caller prepares it.
        case prepared
        /// The loop has it.
        case open(CallKey)
        /// It has its result.
        case over
    }

    // Unchecked as ``PeerConnection``'s: each is one short access.
    @exclusivity(unchecked) var name: EncodedName
    @exclusivity(unchecked) var request = PayloadWriter()
    @exclusivity(unchecked) var metadata = RPCMetadata()
    var isOneWay = false
    var shape = CallShape.unary
    /// Of a call that streams.
    var stream: CallStream?
    /// Nanoseconds to wait, and the latest end; `.max`: for ever.
    var timeout = Int64.max
    var deadline = Int64.max

    @exclusivity(unchecked) var stage = Stage.prepared
    @exclusivity(unchecked) var continuation: UnsafeContinuation<Void, Never>?
    /// `nil` is success; then ``reply`` has the payload.
    @exclusivity(unchecked) var failure: RPCError?
    @exclusivity(unchecked) var reply = PayloadWriter()

    init(_ name: EncodedName) {
        self.name = name
    }

    /// Ends the call, and lets its caller go on.
    @inline(__always)
    func end(_ failure: RPCError? = nil) {
        stage = .over
        if let failure { self.failure = failure }
        if let stream {
            stream.end(self.failure)
            stream.peer.close(stream, self.failure)
        }
        guard let continuation else { return }
        self.continuation = nil
        continuation.resume()
    }

    /// Gives memory back that few messages need.
    func trim() {
        request.reset(keeping: PayloadWriter.trimmedBytes)
        reply.reset(keeping: PayloadWriter.trimmedBytes)
    }

    func reset() {
        request.reset()
        reply.reset()
        if !metadata.isTriviallyEmpty { metadata = [:] }
        failure = nil
        isOneWay = false
        stage = .prepared
    }
}
