import NetPoll

@main struct Echo {
    static func main() async throws {
        let group = try EventLoopGroup()
        let address = try SocketAddress(host: "127.0.0.1", port: 7000)
        let listener = try await group.listen(on: address)
        await listener.serve { connection in
            for try await bytes in connection.inbound { try await connection.write(bytes) }
        }
    }
}
