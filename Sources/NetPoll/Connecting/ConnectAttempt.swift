/// An outgoing connection on its way; used on its loop only.
///
/// It need not be kept: the attempt goes on without it.
public final class ConnectAttempt {
    private weak var target: (any Abandonable)?

    init(_ target: any Abandonable) {
        self.target = target
    }

    /// Gives the attempt up: its completion is called with ``ConnectError/Reason/cancelled`` before
    /// this returns. Without effect once the completion was called.
    public func cancel() { target?.abandon(.cancelled) }
}

/// What an attempt consists of.
protocol Abandonable: AnyObject {
    func abandon(_ reason: ConnectError.Reason)
}
