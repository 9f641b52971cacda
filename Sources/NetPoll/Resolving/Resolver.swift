/// The version of IP that an address belongs to.
public enum AddressFamily: Hashable, Sendable {
    case v4
    case v6
}

extension SocketAddress {
    /// `nil` for a Unix socket.
    var family: AddressFamily? {
        switch self {
        case .v4: .v4
        case .v6: .v6
        case .unix: nil
        }
    }
}

/// Finds the addresses of a host's name, away from the loops' threads.
public protocol Resolver: AnyObject, Sendable {
    /// Asks for the addresses of one family, best first.
    ///
    /// - Parameters:
    ///   - host: A name, not a numeric address.
    ///   - port: The port that the addresses get.
    ///   - family: The version of IP that is asked for.
    ///   - completion: Called once, on any thread. A host without addresses of this family is a
    ///     success without addresses, or ``ResolveError/notFound``.
    func resolve(
        _ host: String, port: UInt16, family: AddressFamily,
        completion: @escaping @Sendable (Result<[SocketAddress], ResolveError>) -> Void
    )
}

/// A host's name could not be resolved.
public enum ResolveError: Error, Hashable, Sendable {
    /// There is no such host, or it has no address (EAI_NONAME, EAI_NODATA).
    case notFound
    /// The name servers do not answer at present (EAI_AGAIN).
    case temporary
    /// ``SystemResolver`` has too many questions waiting.
    case overloaded
    /// The resolver failed otherwise, with this code of getaddrinfo(3) and its text.
    case failed(code: Int32, text: String)
}
