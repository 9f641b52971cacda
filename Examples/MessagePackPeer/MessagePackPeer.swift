import ArgumentParser

@main
struct MessagePackPeer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "messagepack-peer",
        abstract: "Speaks MessagePack-RPC: serves a few methods, or drives a running neovim.",
        subcommands: [Serve.self, Neovim.self], defaultSubcommand: Serve.self)
}

/// A failure that is told in one line.
struct CleanFailure: Error, CustomStringConvertible {
    let description: String
}
