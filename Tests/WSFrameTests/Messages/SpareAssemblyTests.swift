import AllocationCounter
import Testing

@testable import WSFrame

@Suite("Memory that incomplete messages leave for the next")
struct SpareAssemblyTests {
    /// A connection whose inputs borrow what is spare, as those of a loop do.
    private struct Reader: ~Copyable {
        var core = ProtocolCore(role: .client)
        var carried = CarriedInput()

        /// Reads one input; gives how many messages it completed and how often that allocated.
        mutating func read(
            _ input: inout [UInt8], _ spare: inout SpareAssembly
        ) throws -> (messages: Int, allocations: UInt64) {
            var messages = 0
            var span = input.mutableSpan
            var bytes = span.mutableBytes
            var cursor = 0
            let configuration = ProtocolConfiguration()
            let before = allocation_counter_count()
            carried.borrow(&spare)
            while try core.next(in: &bytes, at: &cursor, carrying: &carried, configuration) != nil {
                messages += 1
            }
            carried.giveBack(to: &spare)
            return (messages, allocation_counter_count() - before)
        }

        /// Reads a message of `payloadBytes` cut before its last byte.
        mutating func readCut(
            _ payloadBytes: Int, _ spare: inout SpareAssembly
        ) throws -> UInt64 {
            let payload = [UInt8](repeating: 1, count: payloadBytes)
            let frame = FrameEncoder.frame(payload.span.bytes, opcode: .binary, maskingKey: nil)
            var (head, tail) = (Array(frame.dropLast()), [frame[frame.count - 1]])
            let first = try read(&head, &spare)
            let second = try read(&tail, &spare)
            #expect(first.messages == 0)
            #expect(second.messages == 1)
            return first.allocations + second.allocations
        }
    }

    @Test(.enabled(if: allocation_counter_is_active()))
    func `a cut message of one connection takes what another left, up to 64 KiB`() throws {
        var spare = SpareAssembly()
        for payloadBytes in [100, 5_000, SpareAssembly.messageBytesMax] {
            var first = Reader()
            var second = Reader()
            #expect(try first.readCut(payloadBytes, &spare) > 0)
            #expect(try second.readCut(payloadBytes, &spare) == 0)
        }
        var reader = Reader()
        for _ in 0..<2 {
            #expect(try reader.readCut(SpareAssembly.messageBytesMax + 1, &spare) == 1)
        }
    }

    @Test(.enabled(if: allocation_counter_is_active()), arguments: 1...6)
    func `a short incomplete message does not hold a long one's memory`(cut: Int) throws {
        var spare = SpareAssembly()
        var long = Reader()
        var short = Reader()
        _ = try long.readCut(60_000, &spare)
        var head = Array(
            FrameEncoder.frame([UInt8](repeating: 1, count: 9_000).span.bytes, opcode: .binary)
                .prefix(cut))
        #expect(try short.read(&head, &spare).messages == 0)
        #expect(spare.assembly == nil)
        #expect(short.carried.assembler.heldBytes <= GrowingBuffer.trimmedBytesMax)
    }

    @Test func `memory of at most 2 KiB, or half as much again, is not trimmed`() {
        let most = GrowingBuffer.trimmedBytesMax
        for (capacity, count, trimmed) in [
            (most, 0, most), (most + 1, 0, 0), (3_000, 2_000, 3_000), (3_001, 2_000, 2_000),
        ] {
            var buffer = GrowingBuffer()
            let bytes = [UInt8](repeating: 7, count: capacity)
            _ = bytes.withUnsafeBytes { source in
                source.baseAddress.map {
                    buffer.append(
                        $0, count: capacity, expected: capacity, key: MaskingKey(0, 0, 0, 0))
                }
            }
            buffer.removeLast(capacity - count)
            #expect(buffer.capacity == capacity)
            buffer.trim()
            #expect(buffer.capacity >= trimmed && buffer.capacity <= max(trimmed, count * 3 / 2))
            #expect(buffer.bytes.elementsEqual(bytes.prefix(count)))
        }
    }
}
