/// The successor's side of a handover, on its loop.
final class Heir: ConnectionHandler {
    typealias WhenDone = (Result<[Int32], SystemError>) -> Void

    private var sockets: [Int32] = []
    /// How many were passed; fewer come where this process may open no more files (unix(7)).
    private var passed = 0
    /// The predecessor said that these are all.
    private var hasAll = false
    /// Why nothing is inherited although somebody waits there.
    private var refusal: SystemError?
    private var whenDone: WhenDone?
    private var timer = TimerID.none
    private let path: String

    private init(path: String, _ whenDone: @escaping WhenDone) {
        self.path = path
        self.whenDone = whenDone
    }

    /// Asks at `path`; `whenDone` is called once, on this loop.
    static func ask(
        at path: String, on loop: EventLoop, within patience: Duration,
        _ whenDone: @escaping WhenDone
    ) {
        let heir = Heir(path: path, whenDone)
        loop.connect(to: .unix(path: path)) { result in
            switch result {
            case .success(let connection):
                connection.handler = heir
                heir.timer = loop.schedule(
                    after: patience, Patience(heir: heir, connection: connection.id))
            case .failure(let error):
                heir.finish(Platform.handoverFailure(error))
            }
        }
    }

    func opened(_ connection: Connection) {
        guard Platform.isOfThisUser(peerOf: connection.descriptor) else {
            refusal = Platform.handoverForbidden(path)
            return connection.abort()
        }
        connection.receiveDescriptors()
        let question = [HandoverByte.ask]
        connection.write(question.span.bytes)
    }

    func receivedDescriptor(
        _ descriptor: consuming PassedDescriptor, on connection: Connection
    ) {
        guard sockets.count < ListenerHandover.socketsMax else { return connection.abort() }
        sockets.append(descriptor.take())
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        for index in 0..<bytes.byteCount {
            let byte = bytes.bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            if byte == HandoverByte.socket { passed += 1 }
            if byte == HandoverByte.all { hasAll = true }
            if byte == HandoverByte.busy { refusal = Platform.handoverBusy(path) }
        }
        guard hasAll, passed != sockets.count else { return }
        // Gone at once, so that the next one may ask.
        refusal = Platform.handoverIncomplete(path, sockets.count, of: passed)
        connection.abort()
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        if timer != .none { connection.loop.cancel(timer) }
        finish(refusal)
    }

    /// Tells what came of it, and lets go of sockets that nobody gets.
    private func finish(_ error: SystemError?) {
        guard let whenDone else { return }
        self.whenDone = nil
        let isWhole = error == nil && hasAll
        if !isWhole { for socket in sockets { _ = OpenFile(adopting: socket) } }
        whenDone(error.map { .failure($0) } ?? .success(isWhole ? sockets : []))
    }

    private final class Patience: TimerTarget {
        private let heir: Heir
        private let connection: ConnectionID

        init(heir: Heir, connection: ConnectionID) {
            self.heir = heir
            self.connection = connection
        }

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            heir.finish(Platform.timedOutError("take over from \(heir.path)"))
            loop.connection(connection)?.abort()
        }
    }
}
