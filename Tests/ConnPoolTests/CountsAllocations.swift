import AllocationCounter

/// Whether allocations are counted and mean something: without optimisation accessors and closures
/// that are not inlined allocate frames of their own.
var countsAllocations: Bool {
    #if DEBUG
        false
    #else
        allocation_counter_is_active()
    #endif
}
