import Glibc
import Hub
import NetPoll
import NetPollTesting
import Testing

@Suite("The sockets of a hub")
struct HubSocketsTests {
    @Test func `those that nothing listened on are closed`() async throws {
        let group = SimulatedNetwork().makeGroup()
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let activated = try SocketActivation.descriptors(
            process: "\(getpid())", count: "1", names: nil, first: descriptor)
        var sockets: HubSockets? = try await HubSockets.take(activated, on: group)
        #expect(sockets != nil && fcntl(descriptor, F_GETFD) >= 0)
        sockets = nil
        #expect(fcntl(descriptor, F_GETFD) == -1)
    }
}
