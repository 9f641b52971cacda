import NIOCore
import NIOWebSocket

/// The members of the one room, all on one event loop, so nothing is locked.
final class Room {
    private var members: [ObjectIdentifier: any Channel] = [:]

    func join(_ channel: any Channel) {
        members[ObjectIdentifier(channel)] = channel
    }

    func leave(_ channel: any Channel) {
        members[ObjectIdentifier(channel)] = nil
    }

    func publish(_ frame: WebSocketFrame) {
        for member in members.values {
            member.writeAndFlush(frame, promise: nil)
        }
    }
}

/// Sends every message to every member; the payload's buffer is shared, not copied.
final class WebSocketBroadcastHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    private let room: Room

    init(room: Room) {
        self.room = room
    }

    func handlerAdded(context: ChannelHandlerContext) {
        room.join(context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        room.leave(context.channel)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary:
            room.publish(
                WebSocketFrame(fin: true, opcode: frame.opcode, data: frame.unmaskedData))
        case .connectionClose:
            context.close(promise: nil)
        default:
            break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
