/// What one connection's incomplete message no longer needs and the next one's can use, so that
/// messages cut by the end of an input allocate nothing.
package struct SpareAssembly: ~Copyable {
    /// The largest memory of a message that is kept.
    static var messageBytesMax: Int { 64 << 10 }

    var assembly: Assembly?

    package init() {}
}
