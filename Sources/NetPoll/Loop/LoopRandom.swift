import Synchronization

/// A loop's random numbers, for jitter and the like; any thread may draw. Those of a simulated loop
/// come from the network's seed. Never for secrets.
package struct LoopRandom: RandomNumberGenerator, Sendable {
    private let state: RandomState

    init(_ state: RandomState) {
        self.state = state
    }

    package mutating func next() -> UInt64 { state.next() }
}

/// ``SplitMix64``'s state, shared by threads.
final class RandomState: Sendable {
    private let state: Atomic<UInt64>

    init(seed: UInt64) {
        state = Atomic(seed)
    }

    func next() -> UInt64 {
        SplitMix64.mix(state.wrappingAdd(SplitMix64.step, ordering: .relaxed).newValue)
    }
}
