import WSFrame

/// What one end wants of compression, as the byte that chooses the limits says.
enum CompressionChoice {
    /// Bit 0 is the limits' and bit 1 that of whether anything is wanted at all.
    static func configuration(_ choice: UInt8) -> CompressionConfiguration {
        var configuration = CompressionConfiguration()
        configuration.ownContextTakeover = choice & 4 != 0
        configuration.peerContextTakeover = choice & 8 != 0
        configuration.ownWindowBitsMax = [15, 9, 12, 10][Int(choice >> 4 & 3)]
        configuration.peerWindowBitsMax = [15, 8, 12, 9][Int(choice >> 6)]
        return configuration
    }

    /// What is wrong with an agreement that `role` came to who wanted `configuration`.
    static func defect(
        of agreed: PerMessageDeflate, for role: Role, _ configuration: CompressionConfiguration
    ) -> String? {
        let peer: Role = role == .server ? .client : .server
        // A client that offers no window bits has the largest, and then no context is kept (RFC 7692 §7.1.1.2).
        let isUnasked =
            role == .server && agreed.windowBits(of: peer) == 15
            && agreed.noContextTakeover(of: peer)
        let isRight =
            agreed.windowBits(of: role) <= configuration.ownWindowBitsMax
            && (isUnasked || agreed.windowBits(of: peer) <= configuration.peerWindowBitsMax)
            && (configuration.ownContextTakeover || agreed.noContextTakeover(of: role))
            && (configuration.peerContextTakeover || agreed.noContextTakeover(of: peer))
        return isRight ? nil : "broken: \(agreed) is more than \(configuration)"
    }
}
