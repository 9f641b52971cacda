import Testing
import WSFrame

@Suite("Opcodes (RFC 6455 §5.2)")
struct OpcodeTests {
    @Test func `each of the sixteen has its class, or none`() {
        let all = (0..<16).map { Opcode(rawValue: $0) }
        #expect(all.filter { $0.isControl && !$0.isReserved } == [.close, .ping, .pong])
        #expect(all.filter { !$0.isControl && !$0.isReserved } == [.continuation, .text, .binary])
        #expect(all.count(where: \.isReserved) == 10)
    }
}
