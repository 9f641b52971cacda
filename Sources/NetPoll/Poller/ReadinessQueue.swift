/// The kernel's side of a ``Poller``; the data given with a descriptor comes back with its events.
package protocol ReadinessQueue: AnyObject {
    var waker: any Waker { get }

    func add(_ fd: Int32, _ interest: Poller.Interest, _ data: UInt64) throws(SystemError)
    func change(_ fd: Int32, _ interest: Poller.Interest, _ data: UInt64) throws(SystemError)
    func remove(_ fd: Int32, _ interest: Poller.Interest)

    /// Waits (`nil`: for ever) and returns how many events were found.
    func wait(nanoseconds: Int64?) throws(SystemError) -> Int

    /// One of the events that the last wait found.
    func event(_ index: Int) -> (data: UInt64, readiness: Poller.Readiness)
}
