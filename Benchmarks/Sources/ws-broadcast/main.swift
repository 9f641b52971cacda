import NetPoll
import WSTransport

// One loop, one room, no hub: what a broadcast costs on WSTransport alone.

let arguments = CommandLine.arguments
guard arguments.count == 3, arguments[1] == "--port", let port = UInt16(arguments[2]) else {
    preconditionFailure("usage: ws-broadcast --port PORT")
}

var loops = EventLoopGroup.Configuration()
loops.loops = 1
let room = Room()
let server = WebSocketServer(group: try EventLoopGroup(configuration: loops)) { _, _, _ in
    .upgrade(room)
}
let address = try await server.listen(on: SocketAddress(host: "127.0.0.1", port: port))
print("ws-broadcast listens on \(address)")
while true { try await Task.sleep(for: .seconds(3_600)) }
