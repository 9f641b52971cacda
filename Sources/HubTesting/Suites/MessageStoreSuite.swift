public import Hub

/// What every ``/Hub/MessageStore`` has to keep.
public enum MessageStoreSuite {
    /// The rules; each wants an empty store of its own.
    public static let checks: [ConformanceCheck<any MessageStore>] = history + inboxes + life

    static let life: [ConformanceCheck<any MessageStore>] = [
        .init("a closed store says so, and closing twice does nothing") { store in
            _ = try await store.append([entry("a", "1")], at: noon)
            await store.close()
            await store.close()
            do throws(StoreError) {
                _ = try await store.append([entry("a", "2")], at: noon)
                throw StoreError(.damaged, detail: "no error")
            } catch {
                try expect(error.reason, .closed, "appending to a closed store")
            }
        },
        .init("batches of several tasks beside each other give each offset once") { store in
            let offsets = try await withThrowingTaskGroup(of: [UInt64].self) { group in
                for task in 0..<8 {
                    group.addTask {
                        var offsets: [UInt64] = []
                        for number in 0..<10 {
                            let batch = [entry("a", "\(task)-\(number)"), entry("b", "x")]
                            offsets.append(
                                try await store.append(batch, at: noon)[0].position.offset)
                        }
                        return offsets
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try expect(offsets.sorted(), Array(1...80), "offsets")
        },
    ]

    // MARK: - What the rules are tried with

    static let noon = Timestamp(milliseconds: 1_700_000_000_000)
    static let epoch = Epoch(rawValue: 0xfeed_beef_0000_0001)

    static func entry(
        _ topic: String, _ text: String, key: String? = nil,
        _ change: (inout HistoryLimits) -> Void = { _ in }
    ) -> HistoryAppend {
        var limits = HistoryLimits()
        change(&limits)
        return HistoryAppend(
            topic: topic, message: HubMessage(text: text), epochIfNew: epoch, limits: limits,
            idempotencyKey: key)
    }

    static func deposit(
        _ user: String, _ text: String, key: String? = nil, expiry: Timestamp? = nil
    ) -> InboxDeposit {
        InboxDeposit(
            user: user, message: HubMessage(text: text), expiry: expiry, idempotencyKey: key)
    }

    static func position(_ offset: UInt64, epoch: Epoch = epoch) -> TopicPosition {
        TopicPosition(epoch: epoch, offset: offset)
    }

    /// A message that has everything, and much that is easily lost.
    static let fullMessage = HubMessage(
        Payload([0, 0xff, 0x27, 0x22, 0xe2, 0x80], format: .binary), event: "",
        sender: "e\u{301}'; --", key: "\u{0}k")
}

extension HistoryPage {
    var texts: [String] { messages.map(\.message.payload.text) }
}

extension InboxPage {
    var texts: [String] { messages.map(\.message.payload.text) }
}
