import RPC

/// One side of an RPC connection: what the bytes mean does not depend on how they are cut, what is held
/// keeps its bounds, and no call ends twice.
enum RPCCheck {
    // Two bytes choose settings and cuts, the rest is the stream.
    static func finding(in input: [UInt8], isServer: Bool) -> String? {
        guard input.count > 2 else { return nil }
        let stream = Array(input[2...])
        let whole = reading(stream, input[0], isServer, .none)
        if let problem = whole.problem { return problem }
        for cuts in [Cuts.everywhere, .seeded(input[1])] {
            let parts = reading(stream, input[0], isServer, cuts)
            if let problem = parts.problem { return "\(cuts): \(problem)" }
            guard parts.said == whole.said else {
                return "\(cuts): \(parts.said) but whole \(whole.said)"
            }
        }
        return nil
    }

    private static func reading(
        _ stream: [UInt8], _ choice: UInt8, _ isServer: Bool, _ cuts: Cuts
    ) -> (said: [String], problem: String?) {
        var connection = ProbedConnection(
            isServer: isServer, negotiates: choice & 1 != 0,
            messageBytesMax: choice & 2 != 0 ? 100 : 4_096)
        var problem: String?
        cuts.forEachPiece(of: stream) { piece in
            let goesOn = connection.take(piece)
            if connection.heldBytes > connection.heldBytesMax {
                problem = "\(connection.heldBytes) bytes are held"
            }
            return goesOn && problem == nil
        }
        return (connection.said, connection.problem ?? problem)
    }
}
