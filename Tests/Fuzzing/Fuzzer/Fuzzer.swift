import FuzzTargets
import Glibc

/// The target that LONGWIRE_FUZZ_TARGET names.
private let target: FuzzTarget = {
    guard let name = getenv("LONGWIRE_FUZZ_TARGET"),
        let target = FuzzTarget(rawValue: String(cString: name))
    else {
        fatalError("LONGWIRE_FUZZ_TARGET names none of \(FuzzTarget.allCases.map(\.rawValue))")
    }
    return target
}()

/// Called by libFuzzer with one input after another.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    if let finding = target.finding(in: input) { fatalError(finding) }
    return 0
}
