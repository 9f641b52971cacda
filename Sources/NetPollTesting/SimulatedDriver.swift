package import NetPoll
import Synchronization

/// A driver whose clock and network are simulated; see ``Simulation``.
package final class SimulatedDriver: Driver, Endpoint.Owner {
    private struct Socket {
        let endpoint: Endpoint
        let token: Token
        var isReceiving = true
        var receivesDescriptors = false
    }

    private final class ListeningSocket {
        let address: SocketAddress
        let token: Token
        let backlog: Int
        var waiting: [Endpoint] = []
        var isAccepting = true

        init(address: SocketAddress, token: Token, backlog: Int) {
            self.address = address
            self.token = token
            self.backlog = backlog
        }
    }

    /// The network's own loop runs every turn, so there is nobody to wake.
    private final class WakeCount: Waker {
        let wakes = Atomic<Int>(0)

        func wake() { wakes.add(1, ordering: .relaxed) }
    }

    private let wakeCount = WakeCount()
    package var waker: any Waker { wakeCount }
    /// How often it would have been woken.
    var wakes: Int { wakeCount.wakes.load(ordering: .relaxed) }
    let network: Simulation
    private var sockets: [Int32: Socket] = [:]
    private var handles: [ObjectIdentifier: Int32] = [:]
    private var listening: [Int32: ListeningSocket] = [:]
    private var ready: [Endpoint] = []
    /// What a turn serves; its memory is used again.
    private var served: [Endpoint] = []
    var attempts: [Int32: Attempt] = [:]
    var connects = ArrivalQueue<Int32>()
    var datagramEnds: [Int32: DatagramEnd] = [:]

    init(network: Simulation) {
        self.network = network
    }

    /// Whether ``deliver(to:)`` would deliver something.
    var hasEvents: Bool {
        !ready.isEmpty || hasConnects
            || datagramEnds.values.contains {
                $0.isRefused || $0.awaitsRoom || $0.isReceiving && !$0.arrived.isEmpty
            }
            || listening.values.contains { $0.isAccepting && !$0.waiting.isEmpty }
    }

    package func now() -> Instant { network.now }

    package func wait(until deadline: Instant?) {}

    package func deliver(to loop: EventLoop) {
        finishConnects(loop)
        deliverDatagrams(to: loop)
        if listening.values.contains(where: { !$0.waiting.isEmpty }) {
            for (handle, listener) in listening.sorted(by: { $0.key < $1.key }) {
                accept(handle, listener, loop)
            }
        }
        swap(&served, &ready)
        // By index: iterating over the elements allocates where the code is not optimised.
        for index in served.indices { served[index].isQueued = false }
        if network.faults.reordersReadiness { served.shuffle(using: &network.random) }
        for index in served.indices { serve(served[index], loop) }
        served.removeAll(keepingCapacity: true)
    }

    func becameReady(_ endpoint: Endpoint) {
        guard !endpoint.isQueued else { return }
        endpoint.isQueued = true
        ready.append(endpoint)
    }

    private func socket(of endpoint: Endpoint) -> (handle: Int32, socket: Socket)? {
        guard let handle = handles[ObjectIdentifier(endpoint)], let socket = sockets[handle] else {
            return nil
        }
        return (handle, socket)
    }

    private func serve(_ endpoint: Endpoint, _ loop: EventLoop) {
        guard let token = socket(of: endpoint)?.socket.token else { return }
        if endpoint.resetArrived {
            loop.failed(Platform.Errno.connectionReset, on: token)
            return
        }
        if endpoint.awaitsRoom, endpoint.room > 0 {
            endpoint.awaitsRoom = false
            loop.sendable(token)
        }
        receive(endpoint, loop)
    }

    private func receive(_ endpoint: Endpoint, _ loop: EventLoop) {
        for _ in 0..<loop.configuration.readsPerConnectionMax {
            guard let (_, socket) = socket(of: endpoint), socket.isReceiving else { return }
            guard endpoint.readableBytes > 0 else {
                if endpoint.endArrived { loop.receivedEnd(socket.token) }
                return
            }
            deliverDescriptors(
                endpoint, socket.token, wanted: socket.receivesDescriptors, loop)
            var limit = endpoint.readableRun
            if network.random.happens(network.faults.shortReads) {
                limit = Int.random(in: 1...limit, using: &network.random)
            }
            let count = endpoint.receive(into: loop.receiveBuffer, atMost: limit)
            let bytes = UnsafeMutableRawBufferPointer(rebasing: loop.receiveBuffer[..<count])
            guard loop.received(bytes, on: socket.token) else { break }
        }
        // Level-triggered: what is left is reported again in the next turn.
        if endpoint.readableBytes > 0 || endpoint.endArrived { becameReady(endpoint) }
    }

    // MARK: - Listeners

    package func listen(
        on address: SocketAddress, _ options: ListenOptions, token: Token
    ) throws(SystemError) -> (SocketHandle, SocketAddress) {
        let bound = address.port == 0 ? address.with(port: network.unusedPort()) : address
        guard options.joinsShared || !network.isTaken(bound) else {
            throw SystemError(code: Platform.Errno.addressInUse, operation: "bind \(bound)")
        }
        guard hasFreeDescriptor else {
            throw SystemError(code: Platform.Errno.tooManyFiles, operation: "socket")
        }
        let handle = takeHandle()
        listening[handle] = ListeningSocket(
            address: bound, token: token, backlog: Int(options.backlog))
        network.addListener(bound, self)
        return (SocketHandle(rawValue: handle), bound)
    }

    /// Descriptors of the process are none of a simulated network's.
    package func adoptListener(
        _ socket: SocketHandle, _ options: ListenOptions, token: Token
    ) throws(SystemError) {
        throw SystemError(
            code: Platform.Errno.operationNotSupported,
            operation: "adopt descriptor \(socket.rawValue)")
    }

    package func setAccepting(_ accepting: Bool, _ socket: SocketHandle, token: Token) {
        listening[socket.rawValue]?.isAccepting = accepting
    }

    /// Puts a new connection into the backlog; `false` where that is full.
    func enqueue(_ endpoint: Endpoint, to address: SocketAddress) -> Bool {
        guard let listener = listening.values.first(where: { $0.address == address }),
            listener.waiting.count < listener.backlog
        else { return false }
        listener.waiting.append(endpoint)
        return true
    }

    private func accept(_ handle: Int32, _ listener: ListeningSocket, _ loop: EventLoop) {
        var budget = loop.acceptBudget(listener.token)
        while budget > 0, listener.isAccepting, !listener.waiting.isEmpty,
            listening[handle] != nil
        {
            budget -= 1
            guard drawsDescriptor else {
                loop.acceptFailed(Platform.Errno.tooManyFiles, on: listener.token)
                return
            }
            if network.random.happens(network.faults.failedAccepts) {
                loop.acceptFailed(Platform.Errno.noBuffers, on: listener.token)
                return
            }
            let endpoint = listener.waiting.removeFirst()
            let socket = takeHandle()
            hold(endpoint, as: socket)
            loop.accepted(
                SocketHandle(rawValue: socket), from: endpoint.address, on: listener.token)
        }
    }

    package func shed(_ socket: SocketHandle) -> Bool {
        guard let listener = listening[socket.rawValue], !listener.waiting.isEmpty else {
            return false
        }
        listener.waiting.removeFirst().close(reset: false)
        return true
    }

    // MARK: - Connections

    private var pending: [Int32: Endpoint] = [:]

    /// Keeps a connected endpoint for the loop to adopt.
    func hold(_ endpoint: Endpoint, as handle: Int32) {
        handles[ObjectIdentifier(endpoint)] = handle
        pending[handle] = endpoint
    }

    package func adopt(_ socket: SocketHandle, token: Token) {
        let endpoint =
            pending.removeValue(forKey: socket.rawValue)
            ?? network.inTransit.removeValue(forKey: socket.rawValue)
        guard let endpoint else {
            network.fail("socket \(socket.rawValue) was not just accepted or connected")
        }
        handles[ObjectIdentifier(endpoint)] = socket.rawValue
        sockets[socket.rawValue] = Socket(endpoint: endpoint, token: token)
        endpoint.owner = self
        becameReady(endpoint)
    }

    package func release(_ socket: SocketHandle) {
        guard let endpoint = pending.removeValue(forKey: socket.rawValue) else {
            network.fail("socket \(socket.rawValue) was not just accepted")
        }
        handles.removeValue(forKey: ObjectIdentifier(endpoint))
        network.inTransit[socket.rawValue] = endpoint
    }

    package func setReceiving(_ receiving: Bool, _ socket: SocketHandle, token: Token) {
        datagramEnds[socket.rawValue]?.isReceiving = receiving
        sockets[socket.rawValue]?.isReceiving = receiving
        if receiving, let endpoint = sockets[socket.rawValue]?.endpoint { becameReady(endpoint) }
    }

    package func send(
        _ socket: SocketHandle, _ segments: UnsafeBufferPointer<Segment>, token: Token
    ) -> SendOutcome {
        guard let endpoint = endpoint(of: socket) else {
            network.fail("send on socket \(socket.rawValue), which is not open")
        }
        if let outcome = outcomeOfFault(endpoint) { return outcome }
        let offered = segments.reduce(0) { $0 + $1.count }
        var allowed = offered
        if network.random.happens(network.faults.refusedSends) {
            allowed = 0
        } else if offered > 1, network.random.happens(network.faults.shortWrites) {
            allowed = Int.random(in: 1..<offered, using: &network.random)
        }
        var sent = 0
        for segment in segments where sent < allowed {
            let count = min(segment.count, allowed - sent)
            let bytes = UnsafeRawBufferPointer(start: segment.base, count: count)
            let taken = endpoint.send(bytes)
            sent += taken
            if taken < count { break }
        }
        network.noteSend()
        if sent < offered {
            endpoint.awaitsRoom = true
            if endpoint.room > 0 { becameReady(endpoint) }
        }
        return .sent(sent)
    }

    func endpoint(of socket: SocketHandle) -> Endpoint? { sockets[socket.rawValue]?.endpoint }

    /// How a send fails before it begins; `nil` where it does not.
    func outcomeOfFault(_ endpoint: Endpoint) -> SendOutcome? {
        if network.random.happens(network.faults.resets) { endpoint.isBroken = true }
        guard endpoint.resetArrived || endpoint.isBroken else { return nil }
        return .failed(Platform.Errno.connectionReset)
    }

    package func receiveDescriptors(_ socket: SocketHandle) {
        sockets[socket.rawValue]?.receivesDescriptors = true
    }

    package func shutdownSend(_ socket: SocketHandle) {
        sockets[socket.rawValue]?.endpoint.sendEnd()
    }

    package func close(_ socket: SocketHandle, reset: Bool) {
        if let listener = listening.removeValue(forKey: socket.rawValue) {
            for endpoint in listener.waiting { endpoint.close(reset: true) }
            network.removeListener(listener.address, self)
            return
        }
        if let end = datagramEnds.removeValue(forKey: socket.rawValue) {
            network.leaveGroups(end)
            return
        }
        if attempts.removeValue(forKey: socket.rawValue) != nil { return }
        let endpoint =
            sockets.removeValue(forKey: socket.rawValue)?.endpoint
            ?? pending.removeValue(forKey: socket.rawValue)
            ?? network.inTransit.removeValue(forKey: socket.rawValue)
        guard let endpoint else {
            network.fail("socket \(socket.rawValue) is closed twice")
        }
        handles.removeValue(forKey: ObjectIdentifier(endpoint))
        endpoint.close(reset: reset)
    }

    func takeHandle() -> Int32 { network.takeHandle() }

    /// Sockets and listeners that are open.
    var openDescriptors: Int {
        sockets.count + listening.count + pending.count + attempts.count + datagramEnds.count
    }

    /// Whether there is a descriptor, and no fault says otherwise.
    var drawsDescriptor: Bool {
        hasFreeDescriptor && !network.random.happens(network.faults.exhaustedDescriptors)
    }

    var hasFreeDescriptor: Bool {
        network.descriptorsMax.map { openDescriptors < $0 } ?? true
    }
}
