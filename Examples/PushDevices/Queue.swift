/// Devices that wait for their turn to connect, in the order in which they came, and how many more may do so
/// at the moment.
struct Queue {
    private var waiting: [Device] = []
    /// The first that waits; those before it have gone.
    private var head = 0
    private var free: Int

    /// - Parameter free: Devices that connect at a time.
    init(free: Int) {
        self.free = free
    }

    mutating func add(_ device: Device) { waiting.append(device) }

    /// The device whose turn it is, if there is one and it may connect.
    mutating func next() -> Device? {
        guard free > 0, head < waiting.count else { return nil }
        free -= 1
        let device = waiting[head]
        head += 1
        if head * 2 > waiting.count {
            waiting.removeFirst(head)
            head = 0
        }
        return device
    }

    /// A device has connected, or could not.
    mutating func answered() { free += 1 }
}
