import ArgumentParser
import NetPoll
import RPC

/// Where to connect, and how long to wait.
struct Target: ParsableArguments {
    @Argument(help: "The server: HOST:PORT, or the path of a Unix socket.")
    var server: String

    @Option(help: ArgumentHelp("How long to wait for each answer.", valueName: "seconds"))
    var timeout = 10.0

    func validate() throws {
        guard timeout > 0, timeout <= 86_400 else {
            throw ValidationError("--timeout must be more than 0 and at most 86400.")
        }
        _ = try address
    }

    var options: CallOptions { CallOptions(timeout: .seconds(timeout)) }

    private var address: SocketAddress {
        get throws {
            guard !server.contains("/") else { return .unix(path: server) }
            let parts = server.split(separator: ":", omittingEmptySubsequences: false)
            guard let last = parts.last, parts.count > 1, let port = UInt16(last) else {
                throw ValidationError("SERVER is HOST:PORT or a path, not '\(server)'.")
            }
            var host = parts.dropLast().joined(separator: ":")
            if host == "localhost" { host = "127.0.0.1" }
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
            }
            do {
                return try SocketAddress(host: host, port: port)
            } catch {
                throw ValidationError("\(error)")
            }
        }
    }

    /// Runs `body` with a connection; ends the program with one line where that fails.
    func withConnection(
        callsMax: Int = 1_024, _ body: @escaping @Sendable (RPCConnection) async throws -> Void
    ) async throws {
        let address = try address
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let group = try EventLoopGroup(configuration: configuration)
        let loop = group.loops[0]
        var settings = RPCConfiguration()
        settings.outgoingCallsMax = callsMax
        settings.callTimeout = .seconds(timeout)
        let bounds = settings
        // Not on the main actor, whose thread every call would have to come back to.
        let ending = await Task.detached(executorPreference: loop) { () -> Ending in
            do {
                let connection = try await RPCConnection.connect(
                    to: address, on: loop, configuration: bounds)
                try await body(connection)
                connection.close()
                return .done
            } catch let error as ConnectError {
                return .failed("\(error)", code: 1)
            } catch {
                return .failed("\(error)", code: 2)
            }
        }.value
        await group.shutdown()
        Ending.end(ending)
    }
}

/// A method as it is written on the command line.
struct MethodName: ExpressibleByArgument, Sendable {
    let method: UnaryMethod<[UInt8], [UInt8]>

    init?(argument: String) {
        guard let slash = argument.lastIndex(of: "/") else { return nil }
        let (service, name) = (argument[..<slash], argument[argument.index(after: slash)...])
        guard !service.isEmpty, !name.isEmpty else { return nil }
        method = UnaryMethod(named: String(name), of: String(service))
    }
}
