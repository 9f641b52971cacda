import NetPoll

/// A hub's way to its store for inboxes, in batches.
final class InboxWriter: Sendable {
    let store: any MessageStore
    let policy: InboxPolicy
    let deposits: BatchWriter<InboxDeposit, InboxDeposited>
    /// Acknowledgements, counts of attempts and quarantines, in their order.
    let changes: BatchWriter<Change, Void>

    enum Change: Sendable {
        case acknowledge(InboxReference)
        case countAttempt(InboxReference)
        case quarantine(InboxReference)

        var reference: InboxReference {
            switch self {
            case .acknowledge(let reference), .countAttempt(let reference),
                .quarantine(let reference):
                reference
            }
        }
    }

    init(
        store: any MessageStore, policy: InboxPolicy, _ ledger: MemoryLedger, on loop: EventLoop,
        calendar: @escaping @Sendable () -> Timestamp
    ) {
        self.store = store
        self.policy = policy
        let bounds = WaitingBounds(
            itemsMax: policy.waitingMax, bytesMax: policy.waitingBytesMax, ledger: ledger)
        deposits = BatchWriter(
            bounds, bytes: { $0.message.bytes + $0.user.utf8.count }, on: loop
        ) {
            deposits throws(StoreError) in try await store.deposit(deposits, at: calendar())
        }
        changes = BatchWriter(bounds, on: loop) {
            changes throws(StoreError) in
            var counted: [InboxReference] = []
            var quarantined: [InboxReference] = []
            var acknowledged: [InboxReference] = []
            for change in changes {
                switch change {
                case .countAttempt(let reference): counted.append(reference)
                case .quarantine(let reference): quarantined.append(reference)
                case .acknowledge(let reference): acknowledged.append(reference)
                }
            }
            if !counted.isEmpty { try await store.countAttempts(counted) }
            if !quarantined.isEmpty { try await store.quarantine(quarantined) }
            if !acknowledged.isEmpty { try await store.acknowledge(acknowledged) }
            return Array(repeating: (), count: changes.count)
        }
    }
}
