internal import NetPoll

// A configuration is checked where it is given: by a server, a client, or a connection.
extension RPCConfiguration {
    /// The longest time that is waited for a sign of life.
    private static let silenceMax = Duration.seconds(20 * 86_400)

    /// Traps on values that make no sense.
    func check() {
        checkCalls()
        checkMessages()
        checkTimes()
        checkConnection()
    }

    private func checkCalls() {
        precondition(
            (1...Int(Int32.max)).contains(outgoingCallsMax),
            "at most \(outgoingCallsMax) calls in flight")
        whenFull.check()
        precondition(incomingCallsMax > 0, "at most \(incomingCallsMax) calls of the peer")
    }

    private func checkMessages() {
        precondition(
            (1...64 << 20).contains(messageBytesMax),
            "messages of at most \(messageBytesMax) bytes")
        precondition(
            (1_024...FrameHeader.dataBytesMax).contains(pieceBytesMax),
            "pieces of at most \(pieceBytesMax) bytes")
        for credit in [streamCreditBytes, connectionCreditBytes] {
            precondition((1...Int(Int32.max)).contains(credit), "a credit of \(credit) bytes")
        }
        precondition(partialMessagesMax >= 0, "\(partialMessagesMax) messages in pieces")
        compression?.check()
    }

    private func checkTimes() {
        if let callTimeout { precondition(callTimeout > .zero, "a timeout of \(callTimeout)") }
        for time in [pingInterval, pingTimeout] {
            guard let time else { continue }
            precondition(time > .zero && time <= Self.silenceMax, "pings after \(time)")
        }
        if let tcpKeepAlive {
            // What Linux takes (tcp(7)).
            for time in [tcpKeepAlive.idle, tcpKeepAlive.interval] {
                precondition(time > .zero && time <= .seconds(32_767), "probes after \(time)")
            }
            precondition(
                (1...127).contains(tcpKeepAlive.probesMax), "\(tcpKeepAlive.probesMax) probes")
        }
        if let ageMax { precondition(ageMax > .zero, "an age of \(ageMax)") }
        if let ageGrace { precondition(ageGrace > .zero, "a grace of \(ageGrace)") }
        precondition((0...1).contains(ageJitter), "a jitter of \(ageJitter)")
    }

    /// A client's sockets are made later, and elsewhere.
    private func checkConnection() {
        precondition(
            connection.sendQueueBytesMax > 0,
            "a send queue of \(connection.sendQueueBytesMax) bytes")
        precondition(connection.overflow == .close, "an overflow that leaves frames out")
        precondition(
            connection.lowWatermark <= connection.highWatermark,
            "low watermark \(connection.lowWatermark) above high \(connection.highWatermark)")
    }
}

extension RPCConfiguration.FullPolicy {
    /// Traps on values that make no sense.
    func check() {
        guard case .wait(let callsMax) = self else { return }
        precondition(callsMax >= 0, "at most \(callsMax) calls wait")
    }
}
