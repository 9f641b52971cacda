import ArgumentParser
import RPC

struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the methods of a server that has longwire.Reflection.")

    @OptionGroup var target: Target

    func run() async throws {
        let options = target.options
        try await target.withConnection { connection in
            let list = try await connection.call(
                RPCReflectionService.listMethods, RPCReflectionRequest(), options: options)
            for method in list.methods {
                print("\(method.service)/\(method.name)  \(method.shape)")
            }
        }
    }
}

struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints what became of the calls of a server that has longwire.Reflection.",
        discussion: "Times are in microseconds; those of inline handlers are not measured.")

    @OptionGroup var target: Target

    func run() async throws {
        let options = target.options
        try await target.withConnection { connection in
            let reply = try await connection.call(
                RPCReflectionService.statistics, RPCReflectionRequest(), options: options)
            print(Self.row("started", "ended", "failed", "p50", "p99", "max", "method"))
            for method in reply.methods {
                print(
                    Self.row(
                        "\(method.started)", "\(method.ended)", "\(method.failed)",
                        Self.microseconds(method.median), Self.microseconds(method.percentile99),
                        Self.microseconds(method.longest), "\(method.service)/\(method.name)"))
            }
        }
    }

    private static func microseconds(_ duration: Duration?) -> String {
        duration.map { "\(Int($0 / .microseconds(1)))" } ?? "-"
    }

    private static func row(_ columns: String...) -> String {
        columns.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }
            .joined(separator: " ")
    }
}

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells whether a server that has longwire.Health serves; exit code 2 if not.")

    @OptionGroup var target: Target

    @Argument(help: "The full name of a service; the whole server where it is left out.")
    var service = ""

    func run() async throws {
        let (options, service) = (target.options, service)
        try await target.withConnection { connection in
            let reply = try await connection.call(
                RPCHealthService.check, RPCHealthCheckRequest(service: service), options: options)
            print(reply.status)
            guard reply.status == .serving else { Ending.end(.failed("not serving", code: 2)) }
        }
    }
}
