/// The calls of one loop that are served no longer, whose tasks wait for others.
///
/// Used on its loop only; letting go of it ends the tasks.
final class ServedCallShelf {
    /// How many are kept of each kind; more are made and ended as they are needed.
    static let idleMax = 1_024

    /// How many handlers are given to the pool before one of its threads is woken.
    private static let burstMax: Int32 = 32

    /// What says which calls are run.
    let gate: AdmissionGate
    private let mailbox: LoopMailbox
    // Unchecked as ``PeerConnection``'s. An inline handler is lent ``scratch``; no other runs before
    // it returns.
    @exclusivity(unchecked) private var onLoop: [ServedCall] = []
    @exclusivity(unchecked) private var onPool: [ServedCall] = []
    /// What became of the calls.
    @exclusivity(unchecked) var records = MethodRecords()
    /// Where inline handlers write.
    @exclusivity(unchecked) var scratch = PayloadWriter()
    /// Where metadata stand while inline handlers see them.
    @exclusivity(unchecked) private var inlineMetadata = RequestBytes()

    /// Handlers given to the pool since a thread of it was woken.
    @exclusivity(unchecked) private var burst: Int32 = 0

    /// How many one-way calls may go on whose connections ended; further ones are cancelled.
    static let outlivingMax = 1_024
    /// How many do.
    var outliving = 0
    /// Whether any more may: not once a drain's time is over.
    var takesOutliving = true

    private var madeCompressor: MessageCompressor?

    init(_ mailbox: LoopMailbox, gate: AdmissionGate = AdmissionGate(RPCAdmission())) {
        self.mailbox = mailbox
        self.gate = gate
    }

    deinit {
        for call in onLoop + onPool { call.retire() }
    }

    func take(_ execution: MethodEntry.Execution) -> ServedCall {
        let idle = execution == .loop ? onLoop.popLast() : onPool.popLast()
        return idle ?? ServedCall(execution, mailbox)
    }

    /// A handler is given to the pool, whose threads hear of it with others: ``endBurst()`` follows.
    func addToBurst() {
        if burst == Self.burstMax { endBurst() }
        if burst == 0 { BurstExecutor.shared.beginBurst() }
        burst += 1
    }

    /// Nothing more is given to the pool for now.
    @inline(__always)
    func endBurst() {
        guard burst > 0 else { return }
        burst = 0
        BurstExecutor.shared.endBurst()
    }

    /// What came with a request that an inline handler serves.
    func metadata(
        _ envelope: RequestEnvelope, of data: UnsafeRawBufferPointer
    ) -> RPCMetadata {
        RequestBytes.renewToShare(&inlineMetadata)
        return RPCMetadata(envelope, of: data, into: inlineMetadata)
    }

    func giveBack(_ call: ServedCall) {
        guard call.reset() else { return call.retire() }
        switch call.execution {
        case .loop where onLoop.count < Self.idleMax:
            if onLoop.count >= PayloadWriter.grownMax { call.trim() }
            onLoop.append(call)
        case .pool where onPool.count < Self.idleMax:
            if onPool.count >= PayloadWriter.grownMax { call.trim() }
            onPool.append(call)
        case .loop, .pool, .inline: call.retire()
        }
    }

    /// The loop's compressor, made when it is first needed.
    func compressor(_ configuration: RPCConfiguration) -> MessageCompressor {
        if let madeCompressor { return madeCompressor }
        let made = MessageCompressor(level: configuration.compression?.level ?? 1)
        madeCompressor = made
        return made
    }

    /// How many tasks wait.
    var idleCount: Int { onLoop.count + onPool.count }
}
