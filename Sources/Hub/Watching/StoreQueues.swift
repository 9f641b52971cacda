/// How much waits for a hub's store; `nil` for what the hub does not ask of one.
package struct StoreQueues: Hashable, Sendable {
    /// Messages of topics.
    package var histories: Int?
    /// Messages for inboxes.
    package var deposits: Int?
    /// Acknowledgements, counts of attempts, and quarantines.
    package var changes: Int?
}
