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

struct Nothing: RPCJSONMessage {}

/// Why somebody is not greeted, as the caller gets to know it.
struct NameRefused: RPCJSONMessage, RPCTypedError {
    static let typeURL = "type.googleapis.com/greet.NameRefused"

    var reason: String
    var code: StatusCode { .invalidArgument }
}

/// What client and server share: nothing is generated.
enum Greeter: RPCService {
    static let serviceName = "greet.Greeter"
    /// To greet somebody twice does no harm: a client may repeat it.
    static let sayHello = unary("SayHello", HelloRequest.self, HelloReply.self, .idempotent)
    /// Asks back who is there, and greets.
    static let welcome = unary("Welcome", Nothing.self, HelloReply.self)
    /// Nobody answers it.
    static let sayGoodbye = unary("SayGoodbye", HelloRequest.self, Nothing.self)
    static let count = serverStreaming("Count", Countdown.self, Number.self)
    static let add = clientStreaming("Add", Number.self, Number.self)
    static let greetEach = bidirectional("GreetEach", HelloRequest.self, HelloReply.self)

    static var handlers: RPCHandlers {
        var handlers = RPCHandlers()
        handlers.handle(sayHello) { request, context in
            guard !request.name.isEmpty else { throw NameRefused(reason: "it is empty") }
            return HelloReply(text: "Hello, \(request.name)")
        }
        handlers.handle(welcome) { _, context in
            let visitor = try await context.connection.call(Visitor.introduce, Nothing())
            return HelloReply(text: "Welcome, \(visitor.name)")
        }
        handlers.handle(sayGoodbye) { request, _ in
            print("\(request.name) says goodbye")
            return Nothing()
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

/// What a client serves to the server it is connected to.
enum Visitor: RPCService {
    static let serviceName = "greet.Visitor"
    static let introduce = unary("Introduce", Nothing.self, HelloRequest.self)

    static func handlers(name: String) -> RPCHandlers {
        var handlers = RPCHandlers()
        handlers.handle(introduce) { _, _ in HelloRequest(name: name) }
        return handlers
    }
}
