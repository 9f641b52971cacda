import NetPoll
import WSFrame

extension Connection.Limits {
    /// The defaults, with a bound of the time in which a peer takes nothing.
    ///
    /// A peer that has stopped reading while reading from it is paused, or that still sends something, is not
    /// found by a heartbeat, and would keep what waits for it, and its task, for ever.
    static var ofWebSockets: Connection.Limits {
        var limits = Connection.Limits()
        limits.writeStallTimeout = .seconds(60)
        return limits
    }

    /// Makes room for whole messages of tasks, as long as those that may be received, behind what waits when a
    /// task may send.
    mutating func leaveRoomForTasks(sending messages: ProtocolLimits) {
        leaveRoomForTasks()
        // With room for the pongs that a slow peer asks for.
        let room = messages.messageBytesMax + (4 << 10)
        sendQueueBytesMax = max(sendQueueBytesMax, highWatermark + room)
    }
}

extension ConnectConfiguration {
    /// The defaults, with those of ``Connection/Limits/ofWebSockets``.
    static var ofWebSockets: ConnectConfiguration {
        var configuration = ConnectConfiguration()
        configuration.limits = .ofWebSockets
        return configuration
    }
}
