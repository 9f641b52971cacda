import NetPoll
import Synchronization
import WSFrame
import WSTransport

/// How clients are told that they get no session.
public enum RefusalStyle: Hashable, Sendable {
    /// By the status of their request's answer, which costs least, and which pages in browsers cannot
    /// see.
    case status
    /// By a WebSocket that is closed at once, with a code and a reason that pages can see. What the
    /// origin forbids, and what the application refuses, is told by its status all the same.
    ///
    /// Such WebSockets count as connections until their clients have answered the close. There are at
    /// most an eighth of ``HubConfiguration/connectionsMax`` of them, and an eighth of
    /// ``HubConfiguration/sessionsPerAddressMax`` of one address; those beyond are told by the status.
    case closeCode
}

/// The places of those who are refused by a close code.
final class RefusedCounts: Sendable {
    /// The share of what all connections may have.
    private static let share = 8

    private let most: Int
    private let count = Atomic(0)
    private let addresses: AddressCounts

    init(_ configuration: HubConfiguration) {
        most = max(1, configuration.connectionsMax / Self.share)
        addresses = AddressCounts(most: max(1, configuration.sessionsPerAddressMax / Self.share))
    }

    /// A place for one of `address`; `nil` where there is none.
    func place(for address: SocketAddress) -> RefusedPlace? {
        guard count.add(1, ordering: .relaxed).newValue <= most,
            let permit = addresses.admit(address)
        else {
            giveBack()
            return nil
        }
        return RefusedPlace(self, permit)
    }

    fileprivate func giveBack() { count.subtract(1, ordering: .relaxed) }
}

/// One place; given back when it is dropped.
final class RefusedPlace {
    private let counts: RefusedCounts
    private let permit: AddressCounts.Permit

    fileprivate init(_ counts: RefusedCounts, _ permit: consuming AddressCounts.Permit) {
        self.counts = counts
        self.permit = permit
    }

    deinit { counts.giveBack() }
}

/// Tells one client by a close frame why it gets no session.
final class RefusedClient: WebSocketHandler {
    private let refusal: AdmissionRefusal
    private let place: RefusedPlace

    init(_ refusal: AdmissionRefusal, at place: RefusedPlace) {
        self.refusal = refusal
        self.place = place
    }

    func opened(_ connection: WebSocketConnection) {
        connection.close(refusal.closeCode, reason: refusal.closeReason)
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {}
}
