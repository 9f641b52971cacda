import NIOCore
import NIOWebSocket

/// Echoes every message; frames are flushed once per read burst, which is SwiftNIO's own advice.
final class WebSocketEchoHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private var wrote = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary, .continuation:
            write(
                WebSocketFrame(fin: frame.fin, opcode: frame.opcode, data: frame.unmaskedData),
                context: context)
        case .ping:
            write(
                WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData),
                context: context)
        case .connectionClose:
            let close = WebSocketFrame(
                fin: true, opcode: .connectionClose, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(close), promise: nil)
            context.close(promise: nil)
        default:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard wrote else { return }
        wrote = false
        context.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func write(_ frame: WebSocketFrame, context: ChannelHandlerContext) {
        wrote = true
        context.write(wrapOutboundOut(frame), promise: nil)
    }
}
