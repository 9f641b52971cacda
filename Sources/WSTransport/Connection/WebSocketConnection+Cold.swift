import WSFrame

extension WebSocketConnection {
    /// What an idle connection does without; made when a ping is sent, a message is incomplete or
    /// the end has a reason.
    final class Cold {
        var ending: WebSocketCloseReason?
        /// What an input left for the next one.
        var carried = CarriedInput()
        /// When the message in it last came forward, on the loop's clock of milliseconds.
        var advanced: UInt32 = 0
        /// Input that was received and not taken.
        var held = HeldInput()
        /// The latest ping of the application's, until its pong.
        var outstandingPing: OutstandingPing?
        /// What the send queue had no room for.
        var owed: OwedFrames?
        /// The control frames of this second, where they follow each other so soon.
        var controlFrames = ControlFrameRate()

        func isEmpty(at now: Duration) -> Bool {
            ending == nil && outstandingPing == nil && owed == nil && carried.isEmpty
                && held.isEmpty && !controlFrames.isCurrent(at: now)
        }

        /// Makes one that is empty ready for another connection.
        func reset() {
            controlFrames = ControlFrameRate()
            held = HeldInput()
        }
    }
}
