/// What both ends agreed on for the compression of messages (RFC 7692 §7.1).
public struct PerMessageDeflate: Hashable, Sendable {
    /// The window sizes of the RFC, as powers of two: 256 bytes to 32 KiB (RFC 7692 §7.1.2).
    public static let windowBitsRange = 8...15

    /// The server begins each message with an empty window (RFC 7692 §7.1.1.1).
    public var serverNoContextTakeover: Bool
    /// The client begins each message with an empty window (RFC 7692 §7.1.1.2).
    public var clientNoContextTakeover: Bool
    /// The largest window the server compresses with, as a power of two (RFC 7692 §7.1.2.1).
    public var serverWindowBits: Int {
        get { Int(serverBits & ~Self.isNamed) }
        set { serverBits = serverBits & Self.isNamed | Self.checked(newValue) }
    }
    /// The largest window the client compresses with, as a power of two (RFC 7692 §7.1.2.2).
    public var clientWindowBits: Int {
        get { Int(clientBits) }
        set { clientBits = Self.checked(newValue) }
    }

    /// Whether the offer named the server's window, which the answer then has to name as well, even
    /// where it is of 32 KiB (RFC 7692 §7.1.2.1).
    var isServerWindowNamed: Bool {
        get { serverBits & Self.isNamed != 0 }
        set { serverBits = newValue ? serverBits | Self.isNamed : serverBits & ~Self.isNamed }
    }

    private static let isNamed: UInt8 = 0x80

    // Every connection has these: in bytes, not words.
    private var serverBits: UInt8
    private var clientBits: UInt8

    /// What is in force where nothing is said: both contexts taken over, windows of 32 KiB.
    ///
    /// - Precondition: Window bits are in ``windowBitsRange``.
    public init(
        serverNoContextTakeover: Bool = false,
        clientNoContextTakeover: Bool = false,
        serverWindowBits: Int = 15,
        clientWindowBits: Int = 15
    ) {
        self.serverNoContextTakeover = serverNoContextTakeover
        self.clientNoContextTakeover = clientNoContextTakeover
        serverBits = Self.checked(serverWindowBits)
        clientBits = Self.checked(clientWindowBits)
    }

    private static func checked(_ bits: Int) -> UInt8 {
        precondition(windowBitsRange.contains(bits), "window of \(bits) bits")
        return UInt8(bits)
    }

    /// Whether `role` begins each message with an empty window.
    public func noContextTakeover(of role: Role) -> Bool {
        role == .server ? serverNoContextTakeover : clientNoContextTakeover
    }

    /// The largest window that `role` compresses with, as a power of two.
    public func windowBits(of role: Role) -> Int {
        role == .server ? serverWindowBits : clientWindowBits
    }

    /// The value of `Sec-WebSocket-Extensions` in the server's answer; what is in force anyway is
    /// left out, unless the client asked for it.
    public var headerValue: String {
        var text = ExtensionHeader.deflateName
        if serverNoContextTakeover { text += "; server_no_context_takeover" }
        if clientNoContextTakeover { text += "; client_no_context_takeover" }
        if serverWindowBits < 15 || isServerWindowNamed {
            text += "; server_max_window_bits=\(serverWindowBits)"
        }
        if clientWindowBits < 15 { text += "; client_max_window_bits=\(clientWindowBits)" }
        return text
    }
}

extension PerMessageDeflate {
    /// Whether both mean the same for messages, however the offers put it.
    public static func == (left: Self, right: Self) -> Bool {
        left.serverNoContextTakeover == right.serverNoContextTakeover
            && left.clientNoContextTakeover == right.clientNoContextTakeover
            && left.serverWindowBits == right.serverWindowBits
            && left.clientWindowBits == right.clientWindowBits
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(serverNoContextTakeover)
        hasher.combine(clientNoContextTakeover)
        hasher.combine(serverWindowBits)
        hasher.combine(clientWindowBits)
    }
}
