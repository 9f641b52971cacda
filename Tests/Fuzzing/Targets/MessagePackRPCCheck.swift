import MessagePack
import MessagePackRPC

/// MessagePack-RPC of a stranger: the same messages however it is cut, and no more is held than a
/// message may be long.
enum MessagePackRPCCheck {
    // Two bytes choose limits and cuts, the rest is the stream.
    static func finding(in input: [UInt8]) -> String? {
        guard input.count > 2 else { return nil }
        let stream = Array(input[2...])
        let whole = reading(stream, input[0], .none)
        if let problem = whole.problem { return problem }
        for cuts in [Cuts.everywhere, .seeded(input[1])] {
            let parts = reading(stream, input[0], cuts)
            if let problem = parts.problem { return "\(cuts): \(problem)" }
            guard parts.said == whole.said else {
                return "\(cuts): \(parts.said) but whole \(whole.said)"
            }
        }
        return nil
    }

    private static func reading(
        _ stream: [UInt8], _ choice: UInt8, _ cuts: Cuts
    ) -> (said: [String], problem: String?) {
        let limits =
            choice & 1 == 0
            ? MessagePackReader.Limits()
            : MessagePackReader.Limits(depthMax: 3, elementsMax: 20, bytesMax: 40)
        let bytesMax = choice & 2 == 0 ? 4_096 : 128
        var messages = ProbedMessages(messageBytesMax: bytesMax, limits: limits)
        var problem: String?
        cuts.forEachPiece(of: stream) { piece in
            let goesOn = messages.take(piece)
            if messages.heldBytes > bytesMax {
                problem = "\(messages.heldBytes) bytes are held of \(bytesMax)"
            }
            return goesOn && problem == nil
        }
        return (messages.said, problem)
    }
}
