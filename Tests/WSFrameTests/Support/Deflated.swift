import WSFrame

/// One direction of a connection with compression: what the peer of `role` sends, and an observer
/// of `role` that receives it.
final class DeflatePair {
    let role: Role
    let pool = DeflatePool()
    let sender: DeflateCodec
    let receiver: DeflateCodec
    let observer: Observer

    init(
        receiving role: Role = .server, agreed: PerMessageDeflate = PerMessageDeflate(),
        configuration: CompressionConfiguration = .every, limits: ProtocolLimits = ProtocolLimits(),
        delivery: ProtocolConfiguration.Delivery = .whole
    ) {
        self.role = role
        sender = DeflateCodec(agreed, role: role.peer, configuration: configuration, pool: pool)
        receiver = DeflateCodec(agreed, role: role, configuration: configuration, pool: pool)
        observer = Observer(role: role, limits: limits, delivery: delivery, deflate: receiver)
    }

    var key: MaskingKey? { role == .server ? ClientFrames.key : nil }

    /// The compressed payload of `message`, or the message where it is sent as it is.
    func payload(_ message: [UInt8]) -> (bytes: [UInt8], isCompressed: Bool) {
        guard let bytes = sender.compressed(message.span.bytes) else { return (message, false) }
        return (Array(bytes), true)
    }

    /// The message as one frame.
    func frame(_ message: [UInt8], _ opcode: Opcode = .binary) -> [UInt8] {
        let (bytes, isCompressed) = payload(message)
        return ClientFrames.frame(opcode, bytes, isCompressed: isCompressed, key: key)
    }

    /// The message in frames of the given cuts of its payload.
    func frames(_ message: [UInt8], _ opcode: Opcode = .binary, cuts: [Int]) -> [[UInt8]] {
        let (bytes, isCompressed) = payload(message)
        return Self.frames(bytes, opcode, cuts: cuts, isCompressed: isCompressed, key: key)
    }

    static func frames(
        _ bytes: [UInt8], _ opcode: Opcode = .binary, cuts: [Int], isCompressed: Bool = true,
        key: MaskingKey? = ClientFrames.key
    ) -> [[UInt8]] {
        let edges = [0] + cuts.map { min($0, bytes.count) } + [bytes.count]
        return (0..<(edges.count - 1)).map { index in
            ClientFrames.frame(
                index == 0 ? opcode : .continuation, Array(bytes[edges[index]..<edges[index + 1]]),
                isFinal: index == edges.count - 2, isCompressed: isCompressed && index == 0,
                key: key)
        }
    }

    /// What the receiver says of frames with this compressed payload.
    @discardableResult
    func receive(compressed payload: [UInt8], _ opcode: Opcode = .text) -> [Observed] {
        observer.receive(ClientFrames.frame(opcode, payload, isCompressed: true, key: key))
    }
}

extension CompressionConfiguration {
    /// Compresses whatever can be, with contexts.
    static var every: CompressionConfiguration {
        var configuration = CompressionConfiguration()
        configuration.thresholdBytes = 0
        configuration.ownContextTakeover = true
        configuration.peerContextTakeover = true
        return configuration
    }
}
