/// How one end wants messages to be compressed (RFC 7692), and what it lets the peer make it hold.
public struct CompressionConfiguration: Hashable, Sendable {
    /// Whether this side compresses each message with the ones before it in mind.
    ///
    /// Smaller messages, for a compressor of its own in each connection that sends; without it, the
    /// default, all connections of a loop share one.
    public var ownContextTakeover = false
    /// Whether the peer may compress each message with the ones before it in mind.
    ///
    /// Costs a window for each connection that receives; `false` by default.
    public var peerContextTakeover = false
    /// The largest window to compress with, as a power of two from 9 to 15. Default 15, 32 KiB.
    ///
    /// zlib compresses with no window of 8 bits. A peer that can take no larger one is sent no
    /// compressed message.
    public var ownWindowBitsMax = 15
    /// The largest window the peer may compress with, as a power of two from 8 to 15. Default 15.
    ///
    /// Where this is below 15, a client that does not offer to be bound, as Firefox, begins each message with
    /// an empty window of up to 32 KiB instead, so that none is held for it at rest.
    public var peerWindowBitsMax = 15
    /// Speed against size, from 1, the fastest and the default, to 9.
    public var level = 1
    /// The memory of a compressor beside its window, from 1 to 9: 2^(level + 9) bytes. Default 8,
    /// 128 KiB.
    public var memoryLevel = 8
    /// Messages below this many bytes are sent as they are. Default 256.
    public var thresholdBytes = 256
    /// How long what is not in use is kept; it is given back after this time at the earliest and
    /// twice this time at the latest. Default 30 s.
    public var idleTimeout = Duration.seconds(30)

    /// Makes the defaults, which are ``shared``.
    public init() {}

    /// No context is taken over: a loop's connections share their compressors, and none owns one.
    public static var shared: CompressionConfiguration { CompressionConfiguration() }

    /// Both contexts are taken over, with windows of 4 KiB and a memory level of 5: smaller
    /// messages where they are short and resemble each other, for up to 53 KB of each connection that
    /// sends and receives.
    public static var context: CompressionConfiguration {
        var configuration = CompressionConfiguration()
        configuration.ownContextTakeover = true
        configuration.peerContextTakeover = true
        configuration.ownWindowBitsMax = 12
        configuration.peerWindowBitsMax = 12
        configuration.memoryLevel = 5
        configuration.thresholdBytes = 32
        return configuration
    }

    /// Traps where a setting is outside its range.
    package func check() {
        precondition((9...15).contains(ownWindowBitsMax), "own window of \(ownWindowBitsMax) bits")
        precondition(
            PerMessageDeflate.windowBitsRange.contains(peerWindowBitsMax),
            "peer's window of \(peerWindowBitsMax) bits")
        precondition((1...9).contains(level), "compression level \(level)")
        precondition((1...9).contains(memoryLevel), "memory level \(memoryLevel)")
        precondition(thresholdBytes >= 0, "threshold of \(thresholdBytes) bytes")
        precondition(idleTimeout > .zero, "idle timeout of \(idleTimeout)")
    }
}

// MARK: - Negotiation

extension CompressionConfiguration {
    /// A server's choice: the first offer that can be had, made as narrow as wanted here (RFC 7692
    /// §7.1).
    ///
    /// - Returns: `nil` where there is none; then messages are not compressed.
    func accepted(among offers: [DeflateParameters]) -> PerMessageDeflate? {
        for offer in offers where offer.defect == nil {
            var agreed = PerMessageDeflate()
            agreed.serverNoContextTakeover = offer.serverNoContextTakeover || !ownContextTakeover
            agreed.clientNoContextTakeover = offer.clientNoContextTakeover || !peerContextTakeover
            agreed.serverWindowBits = ownWindowBitsMax
            if case .bits(let most) = offer.serverWindowBits {
                agreed.serverWindowBits = min(most, ownWindowBitsMax)
                agreed.isServerWindowNamed = true
            }
            switch offer.clientWindowBits {
            case .absent:
                // The client cannot be bound (RFC 7692 §7.1.2.2), but be told to forget (§7.1.1.2).
                if peerWindowBitsMax < 15 { agreed.clientNoContextTakeover = true }
            case .unspecified: agreed.clientWindowBits = peerWindowBitsMax
            case .bits(let most): agreed.clientWindowBits = min(most, peerWindowBitsMax)
            }
            return agreed
        }
        return nil
    }

    /// The value of `Sec-WebSocket-Extensions` in a client's request.
    package var offerValue: String {
        var text = ExtensionHeader.deflateName
        if !peerContextTakeover { text += "; server_no_context_takeover" }
        if !ownContextTakeover { text += "; client_no_context_takeover" }
        if peerWindowBitsMax < 15 { text += "; server_max_window_bits=\(peerWindowBitsMax)" }
        text += "; client_max_window_bits"
        if ownWindowBitsMax < 15 { text += "=\(ownWindowBitsMax)" }
        return text
    }

    /// Checks a server's answer to ``offerValue``.
    ///
    /// - Returns: What is agreed on.
    /// - Throws: ``ExtensionError``, where the answer is not one to this offer (RFC 7692 §7.1).
    func checked(_ answer: DeflateParameters) throws(ExtensionError) -> PerMessageDeflate {
        switch answer.defect {
        case .unknownParameter: throw ExtensionError(.unknownParameter)
        case .duplicateParameter: throw ExtensionError(.duplicateParameter)
        case .invalidValue: throw ExtensionError(.invalidValue)
        case nil: break
        }
        var agreed = PerMessageDeflate()
        guard answer.serverNoContextTakeover || peerContextTakeover else {
            throw ExtensionError(.notAsOffered)
        }
        agreed.serverNoContextTakeover = answer.serverNoContextTakeover
        agreed.clientNoContextTakeover = answer.clientNoContextTakeover || !ownContextTakeover
        if case .bits(let bits) = answer.serverWindowBits { agreed.serverWindowBits = bits }
        guard agreed.serverWindowBits <= peerWindowBitsMax else {
            throw ExtensionError(.notAsOffered)
        }
        agreed.clientWindowBits = ownWindowBitsMax
        switch answer.clientWindowBits {
        case .absent: break
        case .unspecified: throw ExtensionError(.invalidValue)
        case .bits(let bits):
            guard bits <= ownWindowBitsMax else { throw ExtensionError(.notAsOffered) }
            agreed.clientWindowBits = bits
        }
        return agreed
    }
}
