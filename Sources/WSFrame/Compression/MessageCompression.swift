/// Whether one message may be compressed where compression was agreed on.
public enum MessageCompression: Hashable, Sendable {
    /// Where it has enough bytes, and becomes smaller; with a context also where it does not and is
    /// shorter than the window.
    case automatic
    /// Never: for what is compressed already, or holds a secret beside what others wrote.
    case never
}
