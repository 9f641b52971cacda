import NetPoll
import WSFrame

/// Masking keys from the kernel's generator, drawn in batches (RFC 6455 §5.3, §10.3).
///
/// Nobody who sees the frames so far can foretell the next key: every key is drawn, none derived.
struct MaskingKeys: ~Copyable {
    /// How many keys one system call draws.
    static let batchCount = 256

    private let batch = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: batchCount)
    private let fill: (UnsafeMutableRawBufferPointer) -> Void
    private var left = 0

    /// - Parameter fill: Where keys come from; anything but the kernel's generator is for tests.
    init(
        from fill: @escaping (UnsafeMutableRawBufferPointer) -> Void = Platform.fillWithRandomBytes
    ) {
        self.fill = fill
    }

    deinit { batch.deallocate() }

    mutating func next() -> MaskingKey {
        if left == 0 {
            fill(UnsafeMutableRawBufferPointer(batch))
            left = batch.count
        }
        left -= 1
        let word = batch[left]
        // A key that was used is of no use to whoever reads this memory later.
        batch[left] = 0
        return MaskingKey(word: word)
    }
}
