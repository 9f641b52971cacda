import ArgumentParser
import MessagePack
import MessagePackRPC
import NetPoll
import Synchronization

struct Neovim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Edits a buffer of a running neovim, and is called back by it.",
        discussion: "Start one with: nvim --headless --listen ADDRESS")

    @Option(help: "The Unix socket neovim listens on.")
    var socket: String?

    @Option(help: "The port of 127.0.0.1 neovim listens on.")
    var port: UInt16?

    func validate() throws {
        guard (socket == nil) != (port == nil) else {
            throw ValidationError("Say either --socket or --port.")
        }
    }

    func run() async throws {
        do {
            try await drive()
        } catch let error as ConnectError {
            throw CleanFailure(description: "\(error)")
        } catch let error as MessagePackRPCError {
            throw CleanFailure(description: "\(error)")
        }
    }

    private func drive() async throws {
        let group = try EventLoopGroup()
        let notes = Notes()
        var handlers = MessagePackRPCHandlers()
        handlers.handle("greet") { parameters, _ in
            "Hello, \(try parameters.decode(String.self))!"
        }
        handlers.handleNotification("note") { parameters, _ in
            // What does not fit is not noted.
            guard let (number, text) = try? parameters.decode(Int.self, String.self) else { return }
            notes.add("\(number) \(text)")
        }
        let address =
            try socket.map(SocketAddress.unix(path:))
            ?? SocketAddress(host: "127.0.0.1", port: port ?? 0)
        let editor = try await MessagePackRPCConnection.connect(
            to: address, on: group.loops[0], handlers: handlers)

        let channel = try await editor.call("nvim_get_api_info", returning: APIInfo.self).channel
        let buffer = try await editor.call(
            "nvim_get_current_buf", returning: MessagePackExtension.self)
        let lines = ["first", "zweite", "третья", "四"]
        try await editor.call("nvim_buf_set_lines", buffer, 0, -1, false, lines)
        let read = try await editor.call(
            "nvim_buf_get_lines", buffer, 0, -1, true, returning: [String].self)
        print("lines \(read == lines ? "come back as they were" : "differ: \(read)")")

        let sum = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for number in 1...200 {
                tasks.addTask {
                    try await editor.call("nvim_eval", "\(number) * 2", returning: Int.self)
                }
            }
            return try await tasks.reduce(0, +)
        }
        print("200 calls in flight give \(sum)")

        let greeting = try await editor.call(
            "nvim_eval", "rpcrequest(\(channel), 'greet', 'neovim')", returning: String.self)
        print("neovim was told \(greeting)")
        for number in 1...3 {
            try await editor.call(
                "nvim_command", "call rpcnotify(\(channel), 'note', \(number), 'n')")
        }
        print("neovim noted \(notes.all.joined(separator: ", "))")

        do {
            try await editor.call("nvim_command", "nosuchcommand")
            throw CleanFailure(description: "neovim knows nosuchcommand")
        } catch let error as MessagePackRPCError {
            print("nosuchcommand: \(error)")
        }
        do {
            try await editor.call("nvim_command", "sleep 2", timeout: .milliseconds(50))
            throw CleanFailure(description: "neovim does not sleep")
        } catch let error as MessagePackRPCError {
            print("sleep: \(error)")
        }
        editor.close()
        await group.shutdown()
    }
}

/// What `nvim_get_api_info` gives: the number of our channel, and a description nobody wants here.
private struct APIInfo: Decodable {
    let channel: Int

    init(from decoder: any Decoder) throws {
        var array = try decoder.unkeyedContainer()
        channel = try array.decode(Int.self)
    }
}

private final class Notes: Sendable {
    private let notes = Mutex<[String]>([])

    func add(_ note: String) { notes.withLock { $0.append(note) } }

    var all: [String] { notes.withLock { $0 } }
}
