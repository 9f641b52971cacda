import EchoWorlds

/// What echoes allocate, by driver and by how the server uses its loop.
enum EchoAllocations {
    private static let (clients, warmUp, rounds) = (20, 3, 50)

    /// How many kinds of echoes allocate.
    static func failing() throws -> Int {
        var failures = 0
        for driver in EchoDriver.allCases {
            for style in EchoServer.Style.allCases {
                for messageBytes in [64, 16 << 10] {
                    let used = try measured(driver, style, messageBytes)
                    print(
                        "\(used) allocations of \(clients * rounds) echoes: \(driver.rawValue), "
                            + "\(style.rawValue), \(messageBytes) bytes")
                    if used > 0 { failures += 1 }
                }
            }
        }
        return failures
    }

    private static func measured(
        _ driver: EchoDriver, _ style: EchoServer.Style, _ messageBytes: Int
    ) throws -> UInt64 {
        let world = try driver.makeWorld()
        let server = try EchoServer(style, on: world.loop)
        try world.connect(clients, to: server.address)
        let message = [UInt8](repeating: 7, count: messageBytes)
        guard try world.echo(message, rounds: warmUp) > 0 else {
            fatalError("connections were accepted without allocating")
        }
        let used = try world.echo(message, rounds: rounds)
        guard server.strays == 0 else { fatalError("a task left its loop's thread") }
        return used
    }
}
