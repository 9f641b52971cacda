import WSFrame

/// The frames of one batch for one protocol, joined so that a subscriber's whole share is one write.
final class FrameBatch {
    /// Larger frames are referenced one by one: joining them would copy more than it saves.
    private static let joinedFrameBytesMax = 4 << 10

    let frames: [PreparedMessage]
    /// The frames one after the other; `nil` where they are sent one by one.
    let whole: UnsafeRawBufferPointer?
    private let joined: UnsafeMutableRawBufferPointer?

    init(_ frames: [PreparedMessage]) {
        self.frames = frames
        guard frames.count > 1,
            frames.allSatisfy({ $0.bytes.count <= Self.joinedFrameBytesMax })
        else {
            whole = frames.count == 1 ? frames[0].bytes : nil
            joined = nil
            return
        }
        let count = frames.reduce(0) { $0 + $1.bytes.count }
        // unsafe: freed in deinit; whoever still sends from it holds this object.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        var place = 0
        for frame in frames {
            UnsafeMutableRawBufferPointer(rebasing: memory[place...]).copyMemory(from: frame.bytes)
            place += frame.bytes.count
        }
        joined = memory
        whole = UnsafeRawBufferPointer(memory)
    }

    deinit { joined?.deallocate() }
}
