import Hub

extension MessageStoreSuite {
    static let inboxes: [ConformanceCheck<any MessageStore>] = delivery + acknowledging + limits

    private static func page(
        _ store: any MessageStore, _ user: String, after id: InboxID? = nil,
        limit: PageLimit = .init(), at now: Timestamp = noon
    ) async throws -> InboxPage {
        try await store.unacknowledged(of: user, after: id, limit: limit, at: now)
    }

    private static func ids(_ answers: [InboxDeposited]) throws -> [InboxID] {
        try answers.map { answer in
            guard case .stored(let id) = answer else {
                throw ConformanceFailure(description: "\(answer) in place of stored")
            }
            return id
        }
    }

    private static let delivery: [ConformanceCheck<any MessageStore>] = [
        .init("an inbox gives what was deposited, in its order, to its user alone") { store in
            let ids = try ids(
                try await store.deposit(
                    [deposit("ann", "1"), deposit("bob", "x"), deposit("ann", "2")], at: noon))
            let page = try await page(store, "ann")
            try expect(page.texts, ["1", "2"], "messages")
            try expect(page.messages.map(\.id), [ids[0], ids[2]], "ids")
            try expect(ids[0] < ids[2], true, "order of ids")
            try expect(page.hasMore, false, "hasMore")
            try expect(try await Self.page(store, "nobody").messages, [], "an unknown user's")
        },
        .init("every field comes back") { store in
            var full = deposit("ann", "", expiry: noon + .seconds(5))
            full.message = fullMessage
            let ids = try ids(try await store.deposit([full], at: noon))
            try expect(
                try await page(store, "ann").messages,
                [
                    InboxMessage(
                        id: ids[0], message: fullMessage, time: noon, expiry: noon + .seconds(5),
                        attempts: 0)
                ], "messages")
        },
        .init("pages continue after an id and keep to their bounds") { store in
            let text = String(repeating: "x", count: 99)
            let ids = try ids(
                try await store.deposit((0..<5).map { deposit("ann", text + "\($0)") }, at: noon))
            let first = try await page(store, "ann", limit: PageLimit(messagesMax: 2))
            try expect(first.messages.map(\.id), Array(ids[..<2]), "ids")
            try expect(first.hasMore, true, "hasMore")
            let next = try await page(
                store, "ann", after: ids[1], limit: PageLimit(messagesMax: 9, bytesMax: 250))
            try expect(next.messages.map(\.id), Array(ids[2..<4]), "ids")
            try expect(next.hasMore, true, "hasMore")
            let last = try await page(
                store, "ann", after: ids[3], limit: PageLimit(messagesMax: 9, bytesMax: 1))
            try expect(last.messages.map(\.id), [ids[4]], "ids")
            try expect(last.hasMore, false, "hasMore")
        },
    ]

    private static let acknowledging: [ConformanceCheck<any MessageStore>] = [
        .init("what is acknowledged is gone, and twice does no harm") { store in
            let ids = try ids(
                try await store.deposit([deposit("ann", "1"), deposit("ann", "2")], at: noon))
            let reference = InboxReference(user: "ann", id: ids[0])
            let unknown = InboxReference(user: "eve", id: ids[1])
            try await store.acknowledge([reference, unknown, reference])
            try await store.acknowledge([reference])
            try expect(try await page(store, "ann").texts, ["2"], "messages")
        },
        .init("ids are not given twice, also after an inbox was emptied") { store in
            let first = try ids(try await store.deposit([deposit("ann", "1")], at: noon))[0]
            try await store.acknowledge([InboxReference(user: "ann", id: first)])
            _ = try await store.removeExpired(at: noon + .seconds(100_000))
            let second = try ids(try await store.deposit([deposit("ann", "2")], at: noon))[0]
            try expect(first < second, true, "order of ids")
        },
        .init("attempts are counted") { store in
            let id = try ids(try await store.deposit([deposit("ann", "1")], at: noon))[0]
            let reference = InboxReference(user: "ann", id: id)
            try await store.countAttempts([reference, reference])
            try await store.countAttempts([
                reference, InboxReference(user: "eve", id: id),
            ])
            try expect(try await page(store, "ann").messages.map(\.attempts), [3], "attempts")
        },
        .init("what is quarantined is set aside, and may be acknowledged there") { store in
            let ids = try ids(
                try await store.deposit([deposit("ann", "1"), deposit("ann", "2")], at: noon))
            let reference = InboxReference(user: "ann", id: ids[0])
            try await store.quarantine([reference, InboxReference(user: "eve", id: ids[0])])
            try expect(try await page(store, "ann").texts, ["2"], "messages")
            let aside = try await store.quarantined(of: "ann", limit: .init(), at: noon)
            try expect(aside.texts, ["1"], "set aside")
            try await store.acknowledge([reference])
            let rest = try await store.quarantined(of: "ann", limit: .init(), at: noon)
            try expect(rest.messages, [], "set aside")
        },
    ]

    private static let limits: [ConformanceCheck<any MessageStore>] = [
        .init("messages expire, in quarantine too") { store in
            let expiry = noon + .seconds(10)
            let ids = try ids(
                try await store.deposit(
                    [
                        deposit("ann", "1", expiry: expiry), deposit("ann", "2", expiry: expiry),
                        deposit("ann", "3"),
                    ], at: noon))
            try await store.quarantine([InboxReference(user: "ann", id: ids[1])])
            try expect(
                try await page(store, "ann", at: noon + .milliseconds(9_999)).texts, ["1", "3"],
                "messages before")
            try expect(try await page(store, "ann", at: expiry).texts, ["3"], "messages after")
            let aside = try await store.quarantined(of: "ann", limit: .init(), at: expiry)
            try expect(aside.messages, [], "set aside")
            try expect(try await store.removeExpired(at: expiry), 2, "removed")
            try expect(try await page(store, "ann").texts, ["3"], "messages left")
        },
        .init("a full inbox refuses one entry and stores the others") { store in
            var one = deposit("ann", "1")
            one.limits.messagesMax = 1
            var two = deposit("ann", "2")
            two.limits.messagesMax = 1
            let answers = try await store.deposit([one, two, deposit("bob", "x")], at: noon)
            try expect(answers[1], .refused, "the second")
            _ = try ids([answers[0], answers[2]])
            try expect(try await page(store, "ann").texts, ["1"], "messages")
        },
        .init("an inbox is bounded in bytes, and expired messages make room") { store in
            let text = String(repeating: "x", count: 60)
            var first = deposit("ann", text, expiry: noon + .seconds(1))
            first.limits.bytesMax = 100
            var second = deposit("ann", text)
            second.limits.bytesMax = 100
            let answers = try await store.deposit([first, second], at: noon)
            try expect(answers[1], .refused, "the second")
            _ = try ids(try await store.deposit([second], at: noon + .seconds(1)))
        },
        .init("a deposit with a known key is not stored again, even when acknowledged") { store in
            let id = try ids(try await store.deposit([deposit("ann", "1", key: "k")], at: noon))[0]
            try await store.acknowledge([InboxReference(user: "ann", id: id)])
            let again = try await store.deposit(
                [deposit("ann", "2", key: "k"), deposit("bob", "3", key: "k")],
                at: noon + .seconds(3_599))
            try expect(again[0], .duplicate(id), "the same user's")
            _ = try ids([again[1]])
            try expect(try await page(store, "ann").messages, [], "messages")
            _ = try ids(
                try await store.deposit(
                    [deposit("ann", "4", key: "k")], at: noon + .seconds(3_600)))
        },
    ]
}
