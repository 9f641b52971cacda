import RPC
import RPCJSON

struct HelloRequest: RPCJSONMessage {
    var name: String
}

struct HelloReply: RPCJSONMessage {
    var text: String
}

struct Countdown: RPCJSONMessage {
    var from: Int
}

struct Number: RPCJSONMessage {
    var value: Int
}

/// What client and server share: nothing is generated.
enum Greeter: RPCService {
    static let serviceName = "greet.Greeter"
    static let sayHello = unary("SayHello", HelloRequest.self, HelloReply.self)
    static let count = serverStreaming("Count", Countdown.self, Number.self)
    static let add = clientStreaming("Add", Number.self, Number.self)
    static let greetEach = bidirectional("GreetEach", HelloRequest.self, HelloReply.self)

    static var handlers: RPCHandlers {
        var handlers = RPCHandlers()
        handlers.handle(sayHello) { request, context in
            guard !request.name.isEmpty else {
                throw RPCError(.invalidArgument, "the name is empty")
            }
            return HelloReply(text: "Hello, \(request.name)")
        }
        handlers.handle(count) { request, numbers, _ in
            for value in (0...max(0, min(request.from, 1_000))).reversed() {
                try await numbers.send(Number(value: value))
            }
        }
        handlers.handle(add) { numbers, _ in
            var sum = 0
            for try await number in numbers { sum += number.value }
            return Number(value: sum)
        }
        handlers.handle(greetEach) { requests, replies, _ in
            for try await request in requests {
                try await replies.send(HelloReply(text: "Hello, \(request.name)"))
            }
        }
        return handlers
    }
}
