import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

var port = 8080
var arguments = CommandLine.arguments.dropFirst()
while let flag = arguments.popFirst() {
    guard flag == "--port", let value = arguments.popFirst().flatMap({ Int($0) }) else {
        preconditionFailure("usage: nio-echo --port PORT")
    }
    port = value
}

let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let loop = group.next()
let room = try await loop.submit { NIOLoopBound(Room(), eventLoop: loop) }.get()

let upgrader = NIOWebSocketServerUpgrader(
    maxFrameSize: 16 << 20,
    shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
    upgradePipelineHandler: { channel, head in
        channel.eventLoop.makeCompletedFuture {
            if head.uri == "/b" {
                try channel.pipeline.syncOperations.addHandler(
                    WebSocketBroadcastHandler(room: room.value))
            } else {
                try channel.pipeline.syncOperations.addHandler(WebSocketEchoHandler())
            }
        }
    }
)

let channel = try await ServerBootstrap(group: group)
    .serverChannelOption(.backlog, value: 4096)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
    .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                withServerUpgrade: (
                    upgraders: [upgrader], completionHandler: { _ in }
                )
            )
        }
    }
    .bind(host: "127.0.0.1", port: port)
    .get()
print("nio-echo listening \(channel.localAddress?.port ?? port)")
try await channel.closeFuture.get()
