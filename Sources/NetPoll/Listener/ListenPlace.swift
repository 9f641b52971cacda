/// Where a loop listens, and for whom.
struct ListenPlace: Sendable {
    enum Source: Sendable {
        case address(SocketAddress)
        /// A socket that listens already.
        case descriptor(Int32)
    }

    var source: Source
    /// Other loops listen on the same port (SO_REUSEPORT); the first one binds it.
    var sharesPort = false
    /// The loops to hand connections to; `nil` where this one keeps them.
    var targets: [EventLoop]?
}

extension EventLoopGroup {
    /// Listens on an address, on all loops where they can share it and otherwise on the first one for
    /// all, or on sockets that listen already, the loops taking them in turn.
    ///
    /// - Parameters:
    ///   - sources: One address, or any number of sockets.
    ///   - balancing: How connections come to the loops.
    ///   - listen: Called on each loop concerned; returns the address it bound.
    /// - Returns: The address, with the port the kernel chose.
    /// - Throws: What `listen` throws; the caller closes what was opened before.
    func listenOnLoops(
        _ sources: [ListenPlace.Source], _ balancing: ListenerGroup.Balancing,
        _ listen: @escaping @Sendable (EventLoop, ListenPlace) throws(SystemError) -> SocketAddress
    ) async throws(SystemError) -> SocketAddress {
        var sources = sources
        var isShared = false
        if case .address(let address) = sources.first {
            isShared = loops.count > 1 && balancing == .kernel && address.port != nil
            if isShared { sources = loops.map { _ in .address(address) } }
        }
        // With a socket for each loop the kernel spreads connections; with fewer, they are handed on.
        let targets = sources.count >= loops.count ? nil : loops
        var bound: SocketAddress?
        for (index, source) in sources.enumerated() {
            var place = ListenPlace(source: source, sharesPort: isShared, targets: targets)
            if isShared, let bound { place.source = .address(bound) }
            let loop = loops[index % loops.count]
            let result: Result<SocketAddress, SystemError>? = await loop.run { [place] in
                do throws(SystemError) {
                    return .success(try listen(loop, place))
                } catch {
                    return .failure(error)
                }
            }
            guard let result else {
                throw Platform.cancelledError("listen on a loop that was shut down")
            }
            bound = try result.get()
        }
        guard let bound else {
            throw SystemError(code: Platform.Errno.invalidArgument, operation: "listen on nothing")
        }
        return bound
    }
}
