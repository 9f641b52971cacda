import GRPCCore
import GRPCNIOTransportHTTP2

// Echo over grpc-swift-2: grpc-echo serve PORT, or grpc-echo load PORT INFLIGHT SECONDS BYTES.
// Messages are bytes as they are; every call has a timeout and one entry of metadata.

struct Raw: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
        Bytes(message)
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}

let echo = MethodDescriptor(fullyQualifiedService: "bench.Echo", method: "Echo")

struct Echo: RegistrableRPCService {
    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(forMethod: echo, deserializer: Raw(), serializer: Raw()) {
            request, _ in
            let request = try await ServerRequest(stream: request)
            return StreamingServerResponse(single: ServerResponse(message: request.message))
        }
    }
}

struct WrongReply: Error {}

func drive(
    _ client: GRPCClient<HTTP2ClientTransport.Posix>, _ bytes: Int,
    from start: ContinuousClock.Instant, until end: ContinuousClock.Instant
) async throws -> [Double] {
    let request = [UInt8](repeating: UInt8(ascii: "a"), count: bytes)
    var options = CallOptions.defaults
    options.timeout = .seconds(10)
    var samples: [Double] = []
    var before = ContinuousClock.now
    while before < end {
        let reply = try await client.unary(
            request: ClientRequest(message: request, metadata: ["trace": "0123456789abcdef"]),
            descriptor: echo, serializer: Raw(), deserializer: Raw(), options: options
        ) { try $0.message }
        guard reply == request else { throw WrongReply() }
        let after = ContinuousClock.now
        if before >= start { samples.append((after - before) / .microseconds(1)) }
        before = after
    }
    return samples
}

func load(port: Int, inFlight: Int, seconds: Int, bytes: Int) async throws {
    let start = ContinuousClock.now + .seconds(1)
    let transport = try HTTP2ClientTransport.Posix(
        target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext)
    let samples = try await withGRPCClient(transport: transport) { client in
        try await withThrowingTaskGroup(of: [Double].self) { tasks in
            for _ in 0..<inFlight {
                tasks.addTask {
                    try await drive(client, bytes, from: start, until: start + .seconds(seconds))
                }
            }
            return try await tasks.reduce(into: []) { $0 += $1 }
        }
    }.sorted()
    func at(_ share: Double) -> Double { samples[Int(Double(samples.count - 1) * share)] }
    print(
        "calls/s=\(samples.count / seconds) p50us=\(at(0.5)) p99us=\(at(0.99)) p999us=\(at(0.999))")
}

let numbers = CommandLine.arguments.dropFirst(2).compactMap(Int.init)
if CommandLine.arguments.dropFirst().first == "load", numbers.count == 4 {
    try await load(port: numbers[0], inFlight: numbers[1], seconds: numbers[2], bytes: numbers[3])
} else if CommandLine.arguments.dropFirst().first == "serve", numbers.count == 1 {
    let server = GRPCServer(
        transport: .http2NIOPosix(
            address: .ipv4(host: "127.0.0.1", port: numbers[0]), transportSecurity: .plaintext),
        services: [Echo()])
    try await server.serve()
} else {
    print("grpc-echo serve PORT | load PORT INFLIGHT SECONDS BYTES")
}
