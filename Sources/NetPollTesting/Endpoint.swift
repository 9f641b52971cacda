import NetPoll

/// One end of a simulated TCP connection.
final class Endpoint {
    enum Arrival {
        /// The next so many of ``wire``.
        case bytes(Int)
        /// A descriptor with the one byte it travels with.
        case descriptor(OpenFile, mark: UInt8)
        case end
        case reset
    }

    /// Who is told that this end can do something.
    protocol Owner: AnyObject {
        func becameReady(_ endpoint: Endpoint)
    }

    /// Memory that an end without bytes keeps, so that it need not be allocated again.
    private static var keptBytesMax: Int { 32 << 10 }

    let address: SocketAddress
    unowned let network: Simulation
    private(set) var partner: Endpoint?
    /// Kept alive while this end is open: a scripted peer acts although nobody holds it.
    var owner: (any Owner)?

    /// Bytes that arrived and were not received.
    private var arrived: [UInt8] = []
    private var consumed = 0
    /// Descriptors that arrived, each with how many unreceived bytes stand before its own.
    private var descriptors: [(bytesBefore: Int, file: OpenFile)] = []
    private var inFlight: [(at: Instant, what: Arrival)] = []
    private var inFlightBytes = 0
    /// Bytes on their way. Its memory is used again, so that an echo allocates nothing.
    private var wire: [UInt8] = []
    private let windowBytes: Int

    /// When the last bytes sent to this end will have left, where the bandwidth is limited.
    private var linkIsFree = Instant(nanoseconds: 0)
    /// Nothing arrives any more, and nobody is told.
    private var isLost = false

    private(set) var endArrived = false
    private(set) var resetArrived = false
    private(set) var isClosed = false
    /// A fault broke the connection: the partner sees a reset when this end is closed.
    var isBroken = false
    private var sentEnd = false
    /// A send was cut short: the owner wants to hear of room.
    var awaitsRoom = false
    var isQueued = false

    init(network: Simulation, address: SocketAddress, windowBytes: Int) {
        self.network = network
        self.address = address
        self.windowBytes = windowBytes
    }

    func join(_ other: Endpoint) {
        partner = other
        other.partner = self
    }

    var readableBytes: Int { arrived.count - consumed }

    /// Bytes that can be received together: those before the next descriptor's own.
    var readableRun: Int {
        let before = descriptors.first { $0.bytesBefore > 0 }?.bytesBefore
        return min(readableBytes, before ?? readableBytes)
    }

    /// Whether the connection is a Unix socket's.
    var passesDescriptors: Bool {
        address.port == nil || partner.map { $0.address.port == nil } ?? false
    }

    /// Bytes that the partner would take now.
    var room: Int {
        guard let partner, !partner.isClosed else { return .max }
        return max(0, partner.windowBytes - partner.readableBytes - partner.inFlightBytes)
    }

    /// Sends up to the partner's room; returns how many bytes were taken.
    func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        if sentEnd { network.fail("bytes sent after the end was") }
        guard let partner, !partner.isClosed else {
            // Bytes to a closed end are answered with RST (RFC 9293 §3.10.7.1).
            arrive(.reset)
            return bytes.count
        }
        network.drawLoss(self)
        let count = min(room, bytes.count)
        if count > 0 { partner.arrive(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
        return count
    }

    /// Passes a descriptor where the partner has room for its byte; returns whether it was taken.
    func send(_ file: OpenFile, mark: UInt8) -> Bool {
        guard room > 0 else { return false }
        partner?.arrive(.descriptor(file, mark: mark))
        return true
    }

    /// Takes the descriptors that come with the next byte.
    func takeDescriptors() -> [OpenFile] {
        guard !descriptors.isEmpty else { return [] }
        let due = descriptors.prefix { $0.bytesBefore == 0 }.map(\.file)
        descriptors.removeFirst(due.count)
        return due
    }

    func sendEnd() {
        guard !sentEnd, !isClosed else { return }
        sentEnd = true
        partner?.arrive(.end)
    }

    /// Moves arrived bytes into `buffer`; returns how many.
    func receive(into buffer: UnsafeMutableRawBufferPointer, atMost limit: Int) -> Int {
        let count = min(limit, buffer.count, readableBytes)
        arrived.withUnsafeBytes { bytes in
            let run = bytes[consumed..<consumed + count]
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: run))
        }
        consumed += count
        for index in descriptors.indices {
            descriptors[index].bytesBefore = max(0, descriptors[index].bytesBefore - count)
        }
        if consumed == arrived.count {
            arrived.removeAll(keepingCapacity: arrived.capacity <= Self.keptBytesMax)
            consumed = 0
        }
        if let partner, partner.awaitsRoom { partner.becameReady() }
        return count
    }

    /// Closes this end. With unread bytes, when broken or on demand, the partner sees a reset.
    func close(reset: Bool) {
        guard !isClosed else { return }
        isClosed = true
        owner = nil
        network.forget(self)
        inFlight = []
        wire = []
        descriptors = []
        if reset || isBroken || readableBytes > 0 {
            partner?.arrive(.reset)
        } else if !sentEnd {
            partner?.arrive(.end)
        }
        if partner?.isClosed == true { part() }
    }

    /// Cuts the wire: from now on nothing arrives at either end.
    func lose() {
        isLost = true
        partner?.isLost = true
    }

    /// This end's host, and the other's; `nil` where they are one, or have none.
    var hosts: HostPair? {
        partner.flatMap { HostPair($0.address, address) }
    }

    /// Lets go of the partner: the ends keep each other alive only while one is open.
    func part() {
        partner?.partner = nil
        partner = nil
        owner = nil
    }

    func becameReady() { owner?.becameReady(self) }

    private func arrive(_ bytes: UnsafeRawBufferPointer) {
        guard !isClosed else { return }
        wire.append(contentsOf: bytes)
        arrive(.bytes(bytes.count))
    }

    private func arrive(_ arrival: Arrival) {
        guard !isClosed else { return }
        switch arrival {
        case .bytes(let count): inFlightBytes += count
        case .descriptor: inFlightBytes += 1
        case .end, .reset: break
        }
        let earliest = inFlight.last?.at ?? network.now
        inFlight.append((max(earliest, arrivalTime(of: arrival)), arrival))
        // By its index: `first` allocates where the code is not optimised.
        if !isLost { network.schedule(inFlight[0].at, self) }
    }

    private func arrivalTime(of arrival: Arrival) -> Instant {
        var left = network.now
        if case .bytes(let count) = arrival, let rate = network.faults.bytesPerSecond {
            let start = max(left, linkIsFree)
            left = start + .nanoseconds(Int64(count) * 1_000_000_000 / Int64(max(1, rate)))
            linkIsFree = left
        }
        return left + network.drawDelay()
    }

    /// Takes in what has travelled long enough.
    func land() {
        guard !isLost, !isClosed, !network.isHeldBack(self) else { return }
        var landed = 0
        var landedBytes = 0
        while landed < inFlight.count, inFlight[landed].at <= network.now {
            switch inFlight[landed].what {
            case .bytes(let count):
                inFlightBytes -= count
                arrived.append(contentsOf: wire[landedBytes..<landedBytes + count])
                landedBytes += count
            case .descriptor(let file, let mark):
                inFlightBytes -= 1
                descriptors.append((readableBytes, file))
                arrived.append(mark)
            case .end: endArrived = true
            case .reset:
                resetArrived = true
                arrived = []
                consumed = 0
                descriptors = []
            }
            landed += 1
        }
        guard landed > 0 else { return }
        inFlight.removeFirst(landed)
        wire.removeFirst(landedBytes)
        if wire.isEmpty, wire.capacity > Self.keptBytesMax { wire = [] }
        if let next = inFlight.first { network.schedule(next.at, self) }
        becameReady()
    }
}
