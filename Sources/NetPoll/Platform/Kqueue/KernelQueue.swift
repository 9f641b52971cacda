/// A change of a kernel queue's filters, or an event of one: `struct kevent` (kqueue(2)).
package struct KernelEvent: Hashable, Sendable {
    package enum Filter: Int16, Sendable {
        /// EVFILT_READ: bytes or connections wait, or the peer ended.
        case read = -1
        /// EVFILT_WRITE: there is room to send, or sending ended.
        case write = -2
    }

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt16

        package init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        /// EV_ADD: adds a filter, or changes it and looks at its state anew.
        package static let add = Flags(rawValue: 0x0001)
        /// EV_DELETE.
        package static let delete = Flags(rawValue: 0x0002)
        /// EV_CLEAR: told when the state changes, not as long as it lasts.
        package static let clear = Flags(rawValue: 0x0020)
        /// EV_RECEIPT: the change's outcome is reported, also a good one, as an event with ``error``
        /// and ``KernelEvent/data`` 0.
        package static let receipt = Flags(rawValue: 0x0040)
        /// EV_ERROR: a change failed, with the errno in ``KernelEvent/data``.
        package static let error = Flags(rawValue: 0x4000)
        /// EV_EOF: that direction ended.
        package static let ended = Flags(rawValue: 0x8000)
    }

    package var descriptor: Int32
    package var filter: Filter
    package var flags: Flags
    /// Bytes that can be read or written, where the kernel says; with an error its errno.
    package var data: Int
    /// The filter's own flags: with ``Flags/ended`` the socket's error.
    package var status: UInt32 = 0
    package var token: UInt64

    package init(
        descriptor: Int32, filter: Filter, flags: Flags, data: Int = 0, token: UInt64 = 0
    ) {
        self.descriptor = descriptor
        self.filter = filter
        self.flags = flags
        self.data = data
        self.token = token
    }
}

/// kevent(2), behind which the driver's whole logic stands: on Darwin it is the kernel's, in tests a
/// simulated one.
package protocol KernelQueue: AnyObject {
    /// Wakes ``exchange(_:into:nanoseconds:)`` from other threads (EVFILT_USER).
    var waker: any Waker { get }

    /// Applies `changes` in order and waits for events (`nil`: for ever; 0: not at all).
    ///
    /// A change that fails is reported as an event with ``KernelEvent/Flags/error``. A wake ends the
    /// wait and is not reported. Closing a descriptor ends its filters.
    ///
    /// - Returns: How many events were written.
    func exchange(
        _ changes: UnsafeBufferPointer<KernelEvent>,
        into events: UnsafeMutableBufferPointer<KernelEvent>, nanoseconds: Int64?
    ) throws(SystemError) -> Int
}
