import MessagePackRPC
import Testing

@Suite("What is a mistake of the program, MessagePack-RPC")
struct MisuseTests {
    @Test func `two handlers of one method's requests trap`() async {
        await #expect(processExitsWith: .failure) {
            var handlers = MessagePackRPCHandlers()
            handlers.handle("add") { _, _ in 1 }
            handlers.handle("add") { _, _ in }
        }
    }

    @Test func `two handlers of one method's notifications trap`() async {
        await #expect(processExitsWith: .failure) {
            var handlers = MessagePackRPCHandlers()
            handlers.handleNotification("note") { _, _ in }
            handlers.handleNotification("note") { _, _ in }
        }
    }

    @Test func `a method may have a handler for requests and one for notifications`() {
        var handlers = MessagePackRPCHandlers()
        handlers.handle("note") { _, _ in }
        handlers.handleNotification("note") { _, _ in }
        handlers.handleOtherNotifications { _, _ in }
        handlers.handleOtherNotifications { _, _ in }
    }
}
