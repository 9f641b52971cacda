/// How much may wait in a ``BatchWriter``.
struct WaitingBounds: Sendable {
    /// Items, beside those that are being written.
    let itemsMax: Int
    /// Bytes of all items, but for a first one.
    let bytesMax: Int
    /// Counts them, and makes the bound smaller where memory is short.
    let ledger: MemoryLedger

    /// Whether an item of `bytes` may wait beside others of `held`. What counts nothing is bounded by
    /// its number alone.
    func hasRoom(for bytes: Int, beside held: Int) -> Bool {
        bytes == 0 || held == 0 || held + bytes <= ledger.bound(bytesMax)
    }
}
