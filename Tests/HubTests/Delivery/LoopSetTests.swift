import Testing

@testable import Hub

@Suite("LoopSet")
struct LoopSetTests {
    @Test(arguments: [[], [0], [255], [63, 64], [0, 1, 127, 128, 200]] as [[Int]])
    func `it holds what was inserted, in order`(loops: [Int]) {
        var set = LoopSet()
        for loop in loops.reversed() { set.insert(loop) }
        #expect(Array(set) == loops)
        #expect(set.isEmpty == loops.isEmpty)
        for loop in 0..<LoopSet.loopsMax { #expect(set.contains(loop) == loops.contains(loop)) }
    }
}
