// What one compression context takes: bytes of memory that a context to send and one to receive add, each used once.
//
// One process for each setting, so that no memory is used again.

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 4, CommandLine.arguments.count == 5, (9...15).contains(arguments[0]),
    (1...9).contains(arguments[1]), arguments[2] > 0, arguments[3] > 0
else {
    preconditionFailure("usage: deflate-contexts WINDOW_BITS MEMORY_LEVEL CONTEXTS MESSAGE_BYTES")
}
let contexts = Contexts(
    windowBits: arguments[0], memoryLevel: arguments[1], count: arguments[2],
    messageBytes: arguments[3])
print("\(contexts.growth(of: contexts.sent))\t\(contexts.growth(of: contexts.received))")
