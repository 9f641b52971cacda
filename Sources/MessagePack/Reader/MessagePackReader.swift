/// Reads MessagePack token by token, from bytes that may come in pieces.
///
/// Performs no I/O, keeps no bytes, and believes no announced length: an array of four thousand
/// million elements costs what was received of it.
///
/// ```swift
/// var reader = MessagePackReader()
/// var cursor = 0
/// while let token = try reader.next(in: input, at: &cursor) {
///     // …
///     if reader.isBetweenValues { break }
/// }
/// ```
///
/// Complexity: each token O(1); the bytes of texts are not touched.
public struct MessagePackReader: Sendable {
    /// What a value may have at most.
    public struct Limits: Hashable, Sendable {
        /// Arrays and maps within each other. Default: 64.
        public var depthMax: Int
        /// Elements of all arrays and maps of one value; a key and its value are two. Default:
        /// 1,048,576.
        public var elementsMax: Int
        /// Bytes of one text, byte string or extension. Default: 16 MiB.
        public var bytesMax: Int

        public init(
            depthMax: Int = 64, elementsMax: Int = 1_048_576, bytesMax: Int = 16 << 20
        ) {
            precondition(depthMax >= 0, "depthMax \(depthMax)")
            precondition(elementsMax >= 0, "elementsMax \(elementsMax)")
            precondition(bytesMax >= 0, "bytesMax \(bytesMax)")
            self.depthMax = depthMax
            self.elementsMax = elementsMax
            self.bytesMax = bytesMax
        }
    }

    private let limits: Limits
    /// How many tokens each open array or map still lacks, the innermost last; none is 0.
    private var open: [Int] = []
    private var elements = 0
    private var isFailed = false

    /// After ``next(in:at:)`` gave `nil`: how many bytes more than there were it takes at least.
    public private(set) var bytesMissing = 0

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Whether the last token ended a value, or none was read yet.
    public var isBetweenValues: Bool { open.isEmpty }

    /// In how many arrays and maps the next token stands.
    public var depth: Int { open.count }

    /// Reads the next token of `input`, from `cursor` on.
    ///
    /// - Parameters:
    ///   - input: Bytes received; those before `cursor` need not be the same as in the last call.
    ///   - cursor: Where the next token begins; moved behind it.
    /// - Returns: The token, or `nil` where `input` ends within it; then ``bytesMissing`` says how
    ///   much is missing, and nothing has changed.
    /// - Throws: ``MessagePackError``. Later calls are a programmer error.
    public mutating func next(
        in input: RawSpan, at cursor: inout Int
    ) throws(MessagePackError) -> MessagePackToken? {
        precondition(!isFailed, "next(in:at:) called after a MessagePackError")
        precondition(
            cursor >= 0 && cursor <= input.byteCount, "cursor \(cursor) of \(input.byteCount)")
        // The pointer is used within the call only.
        let (head, missing) = input.withUnsafeBytes { TokenHead.read($0, at: cursor) }
        guard let head else {
            bytesMissing = missing
            return nil
        }
        do throws(MessagePackError) {
            guard let token = try token(head, of: input.byteCount, at: &cursor) else { return nil }
            return token
        } catch {
            isFailed = true
            throw error
        }
    }

    /// Passes over the rest of the value that `cursor` is in, or over a whole one.
    ///
    /// - Returns: Whether the value has ended; if not, call again with more input, from the `cursor`
    ///   it left: no byte is looked at twice.
    /// - Throws: As ``next(in:at:)``.
    public mutating func skipValue(
        in input: RawSpan, at cursor: inout Int
    ) throws(MessagePackError) -> Bool {
        repeat {
            guard try next(in: input, at: &cursor) != nil else { return false }
        } while !isBetweenValues
        return true
    }

    private mutating func token(
        _ head: TokenHead, of count: Int, at cursor: inout Int
    ) throws(MessagePackError) -> MessagePackToken? {
        let start = cursor
        let body = start + head.byteCount
        let token: MessagePackToken
        switch head.kind {
        case .scalar(let scalar): token = scalar
        case .reserved: throw MessagePackError(.reservedFormat, at: start)
        case .string(let length), .bytes(let length), .ext(_, let length):
            guard length <= limits.bytesMax else {
                throw MessagePackError(
                    .oversizedBytes(announced: length, limit: limits.bytesMax), at: start)
            }
            guard length <= count - body else {
                bytesMissing = length - (count - body)
                return nil
            }
            token = head.token(at: body)
            cursor = body + length
            ended()
            return token
        case .array(let elements):
            try began(elements, at: start)
            token = .array(count: elements)
        case .map(let pairs):
            try began(pairs * 2, at: start)
            token = .map(count: pairs)
        }
        cursor = body
        ended()
        return token
    }

    /// An array or map of this many tokens begins.
    private mutating func began(_ count: Int, at offset: Int) throws(MessagePackError) {
        guard open.count < limits.depthMax else {
            throw MessagePackError(.oversizedDepth(limit: limits.depthMax), at: offset)
        }
        guard count <= limits.elementsMax - elements else {
            throw MessagePackError(.oversizedCount(limit: limits.elementsMax), at: offset)
        }
        elements += count
        // One more than its elements, for its own head ends as any other token.
        open.append(count + 1)
    }

    /// A token ended, and with it perhaps what it is the last of.
    private mutating func ended() {
        while let last = open.indices.last {
            open[last] -= 1
            guard open[last] == 0 else { return }
            open.removeLast()
        }
        elements = 0
    }
}
