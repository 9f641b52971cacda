import NetPoll

/// Notes what arrives, or sends it back.
final class Catcher: DatagramHandler {
    var received: [[UInt8]] = []
    var arrivals: [DatagramArrival] = []
    var errors: [SystemError] = []
    var drains = 0
    var echoes = false
    var onFailed: ((DatagramSocket) -> Void)?

    func received(
        _ bytes: inout MutableRawSpan, _ arrival: DatagramArrival, on socket: DatagramSocket
    ) {
        bytes.bytes.withUnsafeBytes { received.append(Array($0)) }
        arrivals.append(arrival)
        if echoes { socket.send(bytes.bytes, to: arrival.source) }
    }

    func drained(_ socket: DatagramSocket) { drains += 1 }

    func failed(_ error: SystemError, on socket: DatagramSocket) {
        errors.append(error)
        onFailed?(socket)
    }
}
