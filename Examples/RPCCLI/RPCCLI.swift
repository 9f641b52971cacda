import ArgumentParser

@main
struct RPCCLI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-cli",
        abstract: "Calls methods of an RPC server, and looks into it.",
        discussion: """
            SERVER is HOST:PORT, or the path of a Unix socket. list, stats and health need a server \
            with the services longwire.Reflection and longwire.Health; call, ping and bench do not.

            Exit codes: 0 all went well, 1 no connection, 2 a call failed, 64 wrong option.
            """,
        subcommands: [Call.self, List.self, Stats.self, Health.self, Ping.self, Bench.self])
}
