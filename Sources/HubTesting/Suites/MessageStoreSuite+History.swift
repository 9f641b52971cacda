import Hub

extension MessageStoreSuite {
    static let history: [ConformanceCheck<any MessageStore>] = order + paging + bounds + keys

    private static let order: [ConformanceCheck<any MessageStore>] = [
        .init("an unknown topic has no history") { store in
            let page = try await store.history(of: "a", after: nil, limit: .init(), at: noon)
            try expect(page, nil, "history")
        },
        .init("offsets count from 1 in the order of the batch, each topic for itself") { store in
            let answers = try await store.append(
                [entry("a", "1"), entry("b", "1"), entry("a", "2")], at: noon)
            try expect(
                answers,
                [.appended(position(1)), .appended(position(1)), .appended(position(2))], "answers")
        },
        .init("a topic keeps its first epoch") { store in
            _ = try await store.append([entry("a", "1")], at: noon)
            var second = entry("a", "2")
            second.epochIfNew = Epoch(rawValue: 7)
            let answers = try await store.append([second], at: noon)
            try expect(answers, [.appended(position(2))], "answers")
        },
        .init("every field of a message comes back") { store in
            var full = entry("a", "")
            full.message = fullMessage
            var json = entry("a", "")
            json.message = HubMessage(Payload(Array("{}".utf8), format: .json), event: "e")
            _ = try await store.append([full, json, entry("a", "")], at: noon)
            let page = try require(
                try await store.history(of: "a", after: nil, limit: .init(), at: noon), "page")
            try expect(
                page.messages,
                [
                    StoredMessage(offset: 1, time: noon, message: fullMessage),
                    StoredMessage(offset: 2, time: noon, message: json.message),
                    StoredMessage(offset: 3, time: noon, message: HubMessage(text: "")),
                ], "messages")
        },
        .init("names are compared by their bytes") { store in
            let names = ["e\u{301}", "\u{e9}", "A", "a", "a ", "", "\u{0}"]
            for name in names { _ = try await store.append([entry(name, name)], at: noon) }
            for name in names {
                let page = try require(
                    try await store.history(of: name, after: nil, limit: .init(), at: noon),
                    "page")
                try expect(page.texts.map { Array($0.utf8) }, [Array(name.utf8)], "messages")
            }
        },
        .init("a forgotten topic begins anew") { store in
            _ = try await store.append([entry("a", "1", key: "k"), entry("b", "1")], at: noon)
            try await store.removeHistory(of: "a")
            let page = try await store.history(of: "a", after: nil, limit: .init(), at: noon)
            try expect(page, nil, "history")
            let fresh = Epoch(rawValue: 9)
            var again = entry("a", "2", key: "k")
            again.epochIfNew = fresh
            let answers = try await store.append([again, entry("b", "2")], at: noon)
            try expect(
                answers, [.appended(position(1, epoch: fresh)), .appended(position(2))], "answers")
        },
    ]

    private static let paging: [ConformanceCheck<any MessageStore>] = [
        .init("what comes after a position is recovered exactly, page by page") { store in
            _ = try await store.append((1...10).map { entry("a", "\($0)") }, at: noon)
            var at = position(3)
            var seen: [String] = []
            var hasMore = true
            while hasMore {
                let page = try require(
                    try await store.history(
                        of: "a", after: at, limit: PageLimit(messagesMax: 3), at: noon), "page")
                try expect(page.isRecovered, true, "isRecovered after \(at.offset)")
                try expect(page.end, position(10), "end")
                seen += page.texts
                at.offset = page.messages.last?.offset ?? at.offset
                hasMore = page.hasMore
            }
            try expect(seen, (4...10).map(String.init), "messages")
        },
        .init("nothing after the end is recovered as nothing") { store in
            _ = try await store.append([entry("a", "1")], at: noon)
            let page = try await store.history(
                of: "a", after: position(1), limit: .init(), at: noon)
            try expect(
                page,
                HistoryPage(end: position(1), isRecovered: true, messages: [], hasMore: false),
                "page")
        },
        .init("without a position the newest come") { store in
            _ = try await store.append((1...10).map { entry("a", "\($0)") }, at: noon)
            let page = try require(
                try await store.history(
                    of: "a", after: nil, limit: PageLimit(messagesMax: 2), at: noon), "page")
            try expect(page.texts, ["9", "10"], "messages")
            try expect(page.isRecovered, false, "isRecovered")
            try expect(page.hasMore, false, "hasMore")
        },
        .init("another epoch and an offset beyond the end are not recovered") { store in
            _ = try await store.append((1...3).map { entry("a", "\($0)") }, at: noon)
            for wrong in [position(2, epoch: Epoch(rawValue: 5)), position(4)] {
                let page = try require(
                    try await store.history(
                        of: "a", after: wrong, limit: PageLimit(messagesMax: 2), at: noon), "page")
                try expect(page.isRecovered, false, "isRecovered")
                try expect(page.texts, ["2", "3"], "messages")
            }
        },
        .init("a page keeps to its bytes, and its first message comes in any case") { store in
            let text = String(repeating: "x", count: 100)
            _ = try await store.append((1...4).map { _ in entry("a", text) }, at: noon)
            for (bytes, count) in [(1, 1), (100, 1), (199, 1), (200, 2), (400, 4)] {
                let limit = PageLimit(messagesMax: 10, bytesMax: bytes)
                for start in [position(0), nil] {
                    let page = try require(
                        try await store.history(of: "a", after: start, limit: limit, at: noon),
                        "page")
                    try expect(page.messages.count, count, "messages in \(bytes) bytes")
                }
            }
        },
    ]

    private static let bounds: [ConformanceCheck<any MessageStore>] = [
        .init("a history keeps the newest within its count, and offsets go on") { store in
            for number in 1...5 {
                _ = try await store.append(
                    [entry("a", "\(number)") { $0.messagesMax = 2 }], at: noon)
            }
            let kept = try require(
                try await store.history(of: "a", after: position(3), limit: .init(), at: noon),
                "page")
            try expect(kept.texts, ["4", "5"], "messages")
            try expect(kept.isRecovered, true, "isRecovered at the edge")
            let lost = try require(
                try await store.history(of: "a", after: position(2), limit: .init(), at: noon),
                "page")
            try expect(lost.isRecovered, false, "isRecovered beyond the edge")
            try expect(lost.end, position(5), "end")
        },
        .init("a history that keeps nothing still counts") { store in
            for number in 1...2 {
                _ = try await store.append(
                    [entry("a", "\(number)") { $0.messagesMax = 0 }], at: noon)
            }
            let page = try await store.history(
                of: "a", after: position(1), limit: .init(), at: noon)
            try expect(
                page,
                HistoryPage(end: position(2), isRecovered: false, messages: [], hasMore: false),
                "page")
        },
        .init("a history keeps to its bytes, and its newest message in any case") { store in
            let text = String(repeating: "x", count: 100)
            for _ in 1...5 {
                _ = try await store.append([entry("a", text) { $0.bytesMax = 250 }], at: noon)
            }
            var page = try require(
                try await store.history(of: "a", after: nil, limit: .init(), at: noon), "page")
            try expect(page.messages.map(\.offset), [4, 5], "offsets")
            _ = try await store.append(
                [entry("a", text + text + text) { $0.bytesMax = 250 }], at: noon)
            page = try require(
                try await store.history(of: "a", after: nil, limit: .init(), at: noon), "page")
            try expect(page.messages.map(\.offset), [6], "offsets")
        },
        .init("messages grow old at their topic's age, and are counted when they go") { store in
            for second in 0..<3 {
                let now = noon + .seconds(second)
                _ = try await store.append(
                    [entry("a", "\(second)") { $0.age = .seconds(10) }], at: now)
            }
            let later = noon + .seconds(11)
            let page = try require(
                try await store.history(of: "a", after: position(2), limit: .init(), at: later),
                "page")
            try expect(page.texts, ["2"], "messages")
            try expect(page.isRecovered, true, "isRecovered")
            let lost = try require(
                try await store.history(of: "a", after: position(1), limit: .init(), at: later),
                "page")
            try expect(lost.isRecovered, false, "isRecovered of what is too old")
            try expect(try await store.removeExpired(at: later), 2, "removed")
            try expect(try await store.removeExpired(at: later), 0, "removed again")
            let end = try require(
                try await store.history(of: "a", after: nil, limit: .init(), at: later), "page")
            try expect(end.end, position(3), "end")
        },
    ]

    private static let keys: [ConformanceCheck<any MessageStore>] = [
        .init("a publication with a known key is not appended again") { store in
            let first = try await store.append(
                [entry("a", "1", key: "k"), entry("a", "2"), entry("a", "3", key: "k")], at: noon)
            try expect(
                first,
                [.appended(position(1)), .appended(position(2)), .duplicate(position(1))],
                "answers")
            let again = try await store.append(
                [entry("a", "4", key: "k"), entry("b", "1", key: "k")], at: noon + .seconds(299))
            try expect(again, [.duplicate(position(1)), .appended(position(1))], "answers")
        },
        .init("a key is forgotten after its window") { store in
            _ = try await store.append([entry("a", "1", key: "k")], at: noon)
            let later = try await store.append(
                [entry("a", "2", key: "k")], at: noon + .seconds(300))
            try expect(later, [.appended(position(2))], "answers")
        },
    ]
}
