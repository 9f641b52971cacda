import Hub
import Testing

@testable import ChatServer

@Suite("What the chat server is asked to do")
struct SettingsTests {
    @Test func `what visitors may let it keep is bounded, unless it is told more`() throws {
        let usual = try ChatServer.settings(of: [])
        #expect(usual.storeBytesMax == 1 << 30)
        #expect(usual.historyAge == .seconds(30 * 86_400))
        let told = try ChatServer.settings(of: ["--store-max", "5", "--history-days", "1"])
        #expect(told.storeBytesMax == 5 << 20)
        #expect(told.historyAge == .seconds(86_400))
        let configuration = Chat().configuration(
            connectionsMax: 1, historyAge: told.historyAge)
        #expect(configuration.topic.historyAge == told.historyAge)
        for wrong in [["--store-max", "0"], ["--history-days", "0"], ["--store-max", "1e3"]] {
            #expect(throws: SettingError.self) { try ChatServer.settings(of: wrong) }
        }
    }
}
