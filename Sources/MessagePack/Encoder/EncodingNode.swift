/// One value while it is encoded: its elements are written, their number is not known yet.
final class EncodingNode {
    enum Kind {
        case undecided
        case single
        case array
        case map
    }

    private(set) var kind = Kind.undecided
    /// What was encoded, without the head.
    var body = MessagePackWriter()
    /// Elements of an array, or pairs of a map.
    var count = 0
    /// Containers that others may still write to, and where in the body they belong.
    private var children: [(offset: Int, node: EncodingNode)] = []
    private var pairs = MapPairs()

    /// Takes a kind; a value that asks for two different ones is a mistake of the program.
    func become(_ kind: Kind) {
        precondition(
            self.kind == .undecided || (self.kind == kind && kind != .single),
            "a value that is \(self.kind) cannot be \(kind) too")
        self.kind = kind
    }

    /// Writes the key of a pair, whose value must follow; an earlier pair of that key is gone.
    func beginPair(_ key: String) {
        let start = body.bytes.count
        body.write(key)
        guard let earlier = pairs.begin(key, at: start, in: body.bytes) else {
            count += 1
            return
        }
        body.remove(earlier)
        // A container stands behind its key, where the next pair begins if there is nothing else.
        children.removeAll { $0.offset > earlier.lowerBound && $0.offset <= earlier.upperBound }
        for index in children.indices where children[index].offset > earlier.upperBound {
            children[index].offset -= earlier.count
        }
    }

    /// A value of its own at the end of the body.
    func appendChild() -> EncodingNode {
        let node = EncodingNode()
        children.append((body.bytes.count, node))
        return node
    }

    /// Appends head, body and children.
    func write(to writer: inout MessagePackWriter) {
        switch kind {
        case .single: break
        case .array: writer.writeArrayHead(count: count)
        // What a superclass was asked to encode and did not is an empty map.
        case .map, .undecided: writer.writeMapHead(count: count)
        }
        let body = body.bytes
        let bytes = body.span.bytes
        var cursor = 0
        for child in children {
            writer.writeEncoded(bytes.extracting(cursor..<child.offset))
            child.node.write(to: &writer)
            cursor = child.offset
        }
        writer.writeEncoded(bytes.extracting(cursor..<bytes.byteCount))
    }
}
