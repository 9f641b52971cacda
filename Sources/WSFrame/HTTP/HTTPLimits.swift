/// What one HTTP request may make this side read and hold.
public struct HTTPLimits: Hashable, Sendable {
    /// The longest request line without its line end, in bytes; beyond it 414.
    ///
    /// 8 KiB by default.
    public var requestLineBytesMax: Int
    /// The longest header line without its line end, in bytes; beyond it 431.
    ///
    /// 8 KiB by default.
    public var headerLineBytesMax: Int
    /// The most header lines; beyond it 431.
    ///
    /// 100 by default.
    public var headersMax: Int
    /// The longest head, from the request line to the empty line with all line ends, in bytes;
    /// beyond it 431.
    ///
    /// 16 KiB by default.
    public var headBytesMax: Int
    /// The longest body, in bytes; beyond it 413.
    ///
    /// 1 MiB by default. Who reads a body may set another for it.
    public var bodyBytesMax: Int
    /// The longest line of a chunk, its size and extensions without the line end, in bytes; beyond
    /// it 400.
    ///
    /// 256 by default.
    public var chunkLineBytesMax: Int
    /// The most bytes of chunk extensions in one body; beyond it 400.
    ///
    /// 4 KiB by default.
    public var chunkExtensionsBytesMax: Int

    /// Makes limits; every one has a default.
    ///
    /// - Precondition: No limit is below 1 or above 2,147,483,647.
    public init(
        requestLineBytesMax: Int = 8 << 10,
        headerLineBytesMax: Int = 8 << 10,
        headersMax: Int = 100,
        headBytesMax: Int = 16 << 10,
        bodyBytesMax: Int = 1 << 20,
        chunkLineBytesMax: Int = 256,
        chunkExtensionsBytesMax: Int = 4 << 10
    ) {
        self.requestLineBytesMax = requestLineBytesMax
        self.headerLineBytesMax = headerLineBytesMax
        self.headersMax = headersMax
        self.headBytesMax = headBytesMax
        self.bodyBytesMax = bodyBytesMax
        self.chunkLineBytesMax = chunkLineBytesMax
        self.chunkExtensionsBytesMax = chunkExtensionsBytesMax
        check()
    }

    /// Traps where a limit is out of its range; also of those that were set one by one.
    package func check() {
        for limit in [
            requestLineBytesMax, headerLineBytesMax, headersMax, headBytesMax, bodyBytesMax,
            chunkLineBytesMax, chunkExtensionsBytesMax,
        ] {
            precondition(limit >= 1 && limit <= Int32.max, "limit of \(limit)")
        }
    }
}
