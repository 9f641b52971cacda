import NetPollTesting
import WSFrame

/// An event of the protocol with its payload copied out, so that two runs can be compared.
enum Observed: Hashable {
    case message(MessageKind, [UInt8])
    case piece(MessageKind, [UInt8], isFirst: Bool, isLast: Bool)
    case ping([UInt8])
    case pong([UInt8])
    case close(CloseCode?, [UInt8], CloseHandshake.OnCloseReceived)
    case violation(ProtocolViolation.Reason)

    static func text(_ text: String) -> Observed { .message(.text, Array(text.utf8)) }
}

/// One end's protocol that is fed in pieces and records what it says.
final class Observer {
    private let configuration: ProtocolConfiguration
    private var state: ProtocolCore
    private var carried: CarriedInput
    private(set) var observed: [Observed] = []
    /// How many payloads lay in the input, and how many were kept.
    private(set) var inPlace = 0
    private(set) var kept = 0
    /// What the last input held behind what was taken, as it is to be given again.
    private(set) var rest: [UInt8] = []

    init(
        role: Role = .server,
        limits: ProtocolLimits = ProtocolLimits(),
        delivery: ProtocolConfiguration.Delivery = .whole,
        deflate: DeflateCodec? = nil
    ) {
        state = ProtocolCore(role: role)
        carried = CarriedInput(deflate: deflate)
        configuration = ProtocolConfiguration(limits: limits, delivery: delivery)
    }

    var maySend: Bool { state.maySend }
    var isClosed: Bool { state.isClosed }
    var closeInitiator: CloseHandshake.Initiator? { state.closeInitiator }

    func closeRequested() -> CloseHandshake.OnCloseRequested {
        state.closeRequested()
    }

    @discardableResult
    func receive(_ piece: [UInt8]) -> [Observed] {
        let before = observed.count
        // An array of its own for each piece: a read beyond it is a read out of bounds.
        var piece = piece
        var span = piece.mutableSpan
        var bytes = span.mutableBytes
        var cursor = 0
        do throws(ProtocolViolation) {
            while let event = try state.next(
                in: &bytes, at: &cursor, carrying: &carried, configuration)
            {
                record(event, in: bytes)
            }
        } catch {
            observed.append(.violation(error.reason))
        }
        rest = Array(piece[cursor...])
        return Array(observed[before...])
    }

    private func record(_ event: ProtocolEvent, in bytes: borrowing MutableRawSpan) {
        switch event {
        case .message(let kind, let payload):
            observed.append(.message(kind, copy(payload, in: bytes)))
        case .piece(let piece):
            let bytes = copy(piece.payload, in: bytes)
            observed.append(
                .piece(piece.kind, bytes, isFirst: piece.isFirst, isLast: piece.isLast))
        case .ping(let payload): observed.append(.ping(copy(payload, in: bytes)))
        case .pong(let payload): observed.append(.pong(copy(payload, in: bytes)))
        case .close(let close):
            observed.append(.close(close.code, copy(close.reason, in: bytes), close.action))
        }
    }

    private func copy(
        _ payload: ProtocolEvent.Payload,
        in bytes: borrowing MutableRawSpan
    ) -> [UInt8] {
        switch payload {
        case .input: inPlace += 1
        case .kept: kept += 1
        }
        return carried.withPayload(payload, in: bytes) { span in
            span.withUnsafeBytes { Array($0) }
        }
    }
}

/// What the protocol says of `bytes` received at once.
func events(
    of bytes: [UInt8],
    role: Role = .server,
    limits: ProtocolLimits = ProtocolLimits()
) -> [Observed] {
    Observer(role: role, limits: limits).receive(bytes)
}

/// What the protocol says of `bytes` received in pieces of `pieceBytes`.
func events(
    of bytes: [UInt8],
    pieceBytes: Int,
    role: Role = .server,
    limits: ProtocolLimits = ProtocolLimits()
) -> [Observed] {
    let observer = Observer(role: role, limits: limits)
    for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
        observer.receive(Array(bytes[start..<min(start + pieceBytes, bytes.count)]))
    }
    return observer.observed
}

/// What the protocol says of `bytes` cut at random.
func events(
    of bytes: [UInt8],
    cutBy generator: inout SeededGenerator,
    role: Role = .server,
    limits: ProtocolLimits = ProtocolLimits()
) -> [Observed] {
    let observer = Observer(role: role, limits: limits)
    var rest = bytes[...]
    while !rest.isEmpty {
        let most = [1, 3, 16, 200, 5000].randomElement(using: &generator) ?? 1
        let piece = rest.prefix(Int.random(in: 1...most, using: &generator))
        observer.receive(Array(piece))
        rest = rest.dropFirst(piece.count)
    }
    return observer.observed
}

/// The violation that ends the events of `bytes`, or `nil`.
func violation(
    in bytes: [UInt8],
    role: Role = .server,
    limits: ProtocolLimits = ProtocolLimits()
) -> ProtocolViolation? {
    guard case .violation(let reason)? = events(of: bytes, role: role, limits: limits).last else {
        return nil
    }
    return ProtocolViolation(reason)
}
