import Synchronization
import WSFrame

/// Something to say to many sessions, encoded once for each protocol among them.
final class SharedEnvelope: Sendable {
    private enum Frame {
        case missing
        /// Encoded; `nil` where the protocol has no word for it.
        case made(PreparedMessage?)
    }

    let envelope: ServerEnvelope
    private let protocols: [any ClientProtocol]
    private let frames: Mutex<[Frame]>

    init(_ envelope: ServerEnvelope, protocols: [any ClientProtocol]) {
        self.envelope = envelope
        self.protocols = protocols
        frames = Mutex(Array(repeating: .missing, count: protocols.count))
    }

    /// The frame for clients of a protocol, which the first who asks encodes: others wait for it.
    func frame(for index: UInt8) -> PreparedMessage? {
        frames.withLock { frames in
            if case .made(let frame) = frames[Int(index)] { return frame }
            let frame = protocols[Int(index)].encode(envelope)
            frames[Int(index)] = .made(frame)
            return frame
        }
    }
}
