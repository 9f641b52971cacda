/// Owners of payloads that were sent, or dropped, held until their loop may let go of them.
///
/// The last release of an owner runs its `deinit`, which is others' code and may write. That must not
/// happen while a connection is flushed, nor between the parts of one write.
struct ReleasedOwners: ~Copyable {
    /// As many references as a gather buffer of the default size holds.
    private static var capacityKept: Int { 8_192 }

    /// One retain each; `nil` once it was taken.
    private var owners: [Unmanaged<AnyObject>?] = []

    deinit {
        for owner in owners { owner?.release() }
    }

    var isEmpty: Bool { owners.isEmpty }
    var count: Int { owners.count }

    /// Takes over one retain of `owner`.
    mutating func add(_ owner: Unmanaged<AnyObject>) {
        // A payload for many connections is held once: while it is, no other release is the last.
        if let last = owners.last, let last, last.toOpaque() == owner.toOpaque() {
            owner.release()
        } else {
            owners.append(owner)
        }
    }

    /// Gives the retain at `index` to the caller, who releases it when nothing of the loop is being
    /// accessed.
    mutating func take(_ index: Int) -> Unmanaged<AnyObject>? { owners[index].take() }

    /// Forgets the first `count`, which were taken.
    mutating func forget(_ count: Int) {
        if count == owners.count {
            owners.removeAll(keepingCapacity: owners.capacity <= Self.capacityKept)
        } else {
            owners.removeFirst(count)
        }
    }
}
