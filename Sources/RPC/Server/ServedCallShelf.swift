/// The calls of one loop that are served no longer, whose tasks wait for others.
///
/// Used on its loop only; letting go of it ends the tasks.
final class ServedCallShelf {
    /// How many are kept of each kind; more are made and ended as they are needed.
    static let idleMax = 1_024

    private let mailbox: LoopMailbox
    private var onLoop: [ServedCall] = []
    private var onPool: [ServedCall] = []
    /// What became of the calls.
    var records = MethodRecords()
    /// Where inline handlers write.
    var scratch = PayloadWriter()

    init(_ mailbox: LoopMailbox) {
        self.mailbox = mailbox
    }

    deinit {
        for call in onLoop + onPool { call.retire() }
    }

    func take(_ execution: MethodEntry.Execution) -> ServedCall {
        let idle = execution == .loop ? onLoop.popLast() : onPool.popLast()
        return idle ?? ServedCall(execution, mailbox)
    }

    func giveBack(_ call: ServedCall) {
        guard call.reset() else { return call.retire() }
        switch call.execution {
        case .loop where onLoop.count < Self.idleMax: onLoop.append(call)
        case .pool where onPool.count < Self.idleMax: onPool.append(call)
        case .loop, .pool, .inline: call.retire()
        }
    }

    /// How many tasks wait.
    var idleCount: Int { onLoop.count + onPool.count }
}
