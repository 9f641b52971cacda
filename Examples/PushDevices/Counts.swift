/// What all devices have seen.
struct Counts: CustomStringConvertible {
    /// Devices that are connected.
    var connected = 0
    /// Times that one was connected.
    var connects = 0
    /// Times that one lost its connection.
    var lost = 0
    /// Devices that have gone away by themselves and have not come back.
    var away = 0
    /// Messages of inboxes, each counted once for each device.
    var received = 0
    /// Messages of inboxes that a device had already.
    var duplicates = 0
    /// Acknowledgements, of messages that came again too.
    var acknowledged = 0
    /// Messages of topics, and those that nobody keeps.
    var published = 0
    /// Devices that have all they wait for.
    var served = 0

    var description: String {
        "connected=\(connected) connects=\(connects) lost=\(lost) away=\(away) "
            + "received=\(received) duplicates=\(duplicates) acknowledged=\(acknowledged) "
            + "published=\(published) served=\(served)"
    }
}
