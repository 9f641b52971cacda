import NIOCore
import NIOPosix

/// Sends back what it received, with one flush for all that one event loop tick brought.
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.write(data, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }
}

var port = 8080
var arguments = CommandLine.arguments.dropFirst()
while let flag = arguments.popFirst() {
    guard flag == "--port", let value = arguments.popFirst().flatMap({ Int($0) }) else {
        preconditionFailure("usage: nio-tcp-echo --port PORT")
    }
    port = value
}

let channel = try await ServerBootstrap(
    group: MultiThreadedEventLoopGroup(numberOfThreads: 1)
)
.serverChannelOption(.backlog, value: 4096)
.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
.childChannelOption(.socketOption(.tcp_nodelay), value: 1)
.childChannelInitializer { channel in
    channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(EchoHandler())
    }
}
.bind(host: "127.0.0.1", port: port)
.get()
print("nio-tcp-echo listening \(channel.localAddress?.port ?? port)")
try await channel.closeFuture.get()
