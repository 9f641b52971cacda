import Glibc
import SystemCallFilter
import Testing

@testable import WSFrame
@testable import WSTransport

@Suite("MaskingKeys, RFC 6455 §5.3, §10.3")
struct MaskingKeysTests {
    @Test func `keys are drawn 256 at a time, and each is used once (CVE-2025-10148)`() {
        var draws: [Int] = []
        var next: UInt32 = 0
        var keys = MaskingKeys { place in
            draws.append(place.count)
            for offset in stride(from: 0, to: place.count, by: 4) {
                place.storeBytes(of: next, toByteOffset: offset, as: UInt32.self)
                next += 1
            }
        }
        #expect(draws.isEmpty, "keys are drawn before one is asked for")
        var drawn: [UInt32] = []
        for _ in 0..<256 { drawn.append(keys.next().word) }
        #expect(draws == [1_024])
        #expect(Set(drawn) == Set(0..<256))
        for _ in 0..<257 { drawn.append(keys.next().word) }
        #expect(draws == [1_024, 1_024, 1_024])
        #expect(Set(drawn).count == 513)
    }

    @Test func `what was used is not left in memory`() {
        var memory: UnsafeRawBufferPointer?
        var keys = MaskingKeys { place in
            memory = UnsafeRawBufferPointer(place)
            _ = place.initializeMemory(as: UInt8.self, repeating: 0xA5)
        }
        for used in 1...100 {
            _ = keys.next()
            // The batch lives as long as the keys.
            let left = memory?.count { $0 != 0 }
            #expect(left == 1_024 - used * 4)
        }
        // They have to live until here.
        _ = keys.next()
    }

    @Test func `the kernel's generator is the source, and there is no other`() async {
        await #expect(processExitsWith: .success) {
            var keys = MaskingKeys()
            var seen: Set<UInt32> = []
            for _ in 0..<1_000 { seen.insert(keys.next().word) }
            // Of 1,000 keys of 32 bits, two are the same once in 8,600 runs; four, never.
            exit(seen.count > 997 ? EXIT_SUCCESS : EXIT_FAILURE)
        }
        await #expect(processExitsWith: .failure) {
            guard system_call_filter_refuse(system_call_filter_getrandom(), EPERM) == 0 else {
                exit(EXIT_SUCCESS)
            }
            var keys = MaskingKeys()
            _ = keys.next()
            exit(EXIT_SUCCESS)
        }
    }
}
