/// Decides when to connect to which of a host's addresses (Happy Eyeballs v2, RFC 8305).
///
/// Keeps no sockets and reads no clock. After every input, ``next(at:)`` is asked until it gives
/// something else than ``Action/start(_:)``; the first attempt that connects wins, and the driver
/// of this core gives the others up.
///
///     answers ──v6 first, or 50 ms after v4──▶ attempt ──250 ms, or it failed──▶ next attempt …
struct HappyEyeballs: Sendable {
    /// Times of RFC 8305 §8.
    struct Timing: Hashable, Sendable {
        /// How long an IPv4 answer waits for the IPv6 one.
        var resolutionDelay = Duration.milliseconds(50)
        /// How long an attempt runs alone before the next one is started beside it.
        var attemptDelay = Duration.milliseconds(250)
    }

    enum Action: Hashable, Sendable {
        /// Start an attempt to this address, then ask again.
        case start(SocketAddress)
        /// Ask again at this moment, or after an input before it.
        case wait(until: Instant)
        /// Ask again after an input.
        case waitForInput
        /// Every address was tried in vain, or there is none.
        case fail
    }

    /// The most addresses of one family that are tried; an answer may be long.
    static var addressesPerFamilyMax: Int { 16 }

    private let timing: Timing
    private var addresses: [AddressFamily: [SocketAddress]] = [:]
    private var unanswered: Set<AddressFamily> = [.v4, .v6]
    private var last: AddressFamily?
    private var underWay = 0
    /// When an attempt may be started beside those under way.
    private var nextStart: Instant?
    /// When IPv4 no longer waits for IPv6.
    private var resolutionEnd: Instant?

    init(timing: Timing = Timing()) {
        self.timing = timing
    }

    /// One family's question was answered, perhaps with nothing (RFC 8305 §3).
    mutating func answered(_ family: AddressFamily, _ found: [SocketAddress], at now: Instant) {
        guard unanswered.remove(family) != nil else { return }
        addresses[family] = Array(found.prefix(Self.addressesPerFamilyMax))
        if family == .v4, unanswered.contains(.v6), !found.isEmpty {
            resolutionEnd = now + timing.resolutionDelay
        }
    }

    /// An attempt failed: the next one need not wait for its delay.
    mutating func failed() {
        assert(underWay > 0, "an attempt failed that was not under way")
        underWay -= 1
        nextStart = nil
    }

    mutating func next(at now: Instant) -> Action {
        guard let family = nextFamily else {
            return underWay == 0 && unanswered.isEmpty ? .fail : .waitForInput
        }
        if last == nil, family == .v4, unanswered.contains(.v6), let resolutionEnd,
            now < resolutionEnd
        {
            return .wait(until: resolutionEnd)
        }
        if underWay > 0, let nextStart, now < nextStart { return .wait(until: nextStart) }
        guard let address = addresses[family]?.removeFirst() else {
            preconditionFailure("family \(family) was chosen without an address")
        }
        last = family
        underWay += 1
        nextStart = now + timing.attemptDelay
        return .start(address)
    }

    /// Families take turns, IPv6 first (RFC 8305 §4); one without addresses is passed over.
    private var nextFamily: AddressFamily? {
        let preferred: AddressFamily = last == .v6 ? .v4 : .v6
        let other: AddressFamily = last == .v6 ? .v6 : .v4
        return [preferred, other].first { addresses[$0]?.isEmpty == false }
    }
}
