import NetPoll
import NetPollTesting
import Testing

/// What the articles show.
@Suite("Documented servers")
struct DocumentedServerTests {
    /// The example is built with the package, so what the article shows compiles.
    @Test func `the echo server of twelve lines is the example`() throws {
        let example = try repositoryText("Examples/Echo/Echo.swift")
        #expect(example.split(separator: "\n", omittingEmptySubsequences: false).count == 13)
        for page in ["README.md", "NetPoll.docc/NetPoll.md", "NetPoll.docc/TasksOnLoops.md"] {
            let article = try repositoryText("Sources/NetPoll/\(page)")
            #expect(article.contains("```swift\n\(example)```"), "\(page)")
        }
    }

    private final class Echo: ConnectionHandler, Sendable {
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            connection.write(bytes.bytes)
        }
    }

    @Test func `a thousand clients are echoed before and after a day of silence`() throws {
        let network = SimulatedNetwork(seed: 1, faults: .cuts)
        let loop = network.makeLoop()
        let address = try SocketAddress(host: "127.0.0.1", port: 7000)
        try loop.listen(on: address) { _, _ in Echo() }

        var clients: [SimulatedPeer] = []
        for index in 0..<1_000 {
            clients.append(try #require(network.connect(to: address)))
            // The backlog holds some hundred: the server accepts meanwhile.
            if index % 100 == 99 { network.run(for: .seconds(1)) }
        }
        for (index, client) in clients.enumerated() { client.send(Array("\(index)".utf8)) }
        network.run(for: .seconds(86_400))
        for client in clients { client.send(Array(" again".utf8)) }
        network.run(for: .seconds(60))

        for (index, client) in clients.enumerated() {
            #expect(client.received == Array("\(index) again".utf8))
            client.sendEnd()
        }
        network.run(for: .seconds(60))
        #expect(network.openDescriptors == 1, "only the listener is left")
    }

    /// The test above is what the article shows, word for word.
    @Test func `the article's thousand clients are these`() throws {
        let own = try repositoryText("Tests/NetPollTests/DocumentedServerTests.swift")
        let start = try #require(own.range(of: "    @Test func `a thousand clients"))
        let end = try #require(own.range(of: "\n    }\n", from: start.lowerBound))
        let example = own[start.lowerBound..<end.upperBound]
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("    ") ? $0.dropFirst(4) : $0 }.joined(separator: "\n")
        #expect(example.hasPrefix("@Test func") && example.contains("86_400"))
        let page = "Sources/NetPollTesting/NetPollTesting.docc/TestAServerWithoutASleep.md"
        #expect(try repositoryText(page).contains("```swift\n\(example)```"))
    }
}

extension String {
    /// Where `text` stands first, from `start` on.
    fileprivate func range(
        of text: String, from start: Index? = nil
    ) -> Range<Index>? {
        self[(start ?? startIndex)...].firstRange(of: text)
    }
}
