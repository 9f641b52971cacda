#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension Socket {
    /// Opens and binds a datagram socket (udp(7), unix(7)).
    static func openDatagram(
        on address: SocketAddress, _ configuration: DatagramSocket.Configuration
    ) throws(SystemError) -> (SocketHandle, SocketAddress) {
        let fd = try open(address, SystemCall.datagramSocket, "bind")
        do throws(SystemError) {
            if configuration.sharesPort {
                set(fd, SOL_SOCKET, SO_REUSEADDR)
                set(fd, SOL_SOCKET, SO_REUSEPORT)
            }
            if configuration.packetInfo {
                switch address {
                case .v4: set(fd, Int32(IPPROTO_IP), IP_PKTINFO)
                case .v6: set(fd, Int32(IPPROTO_IPV6), SystemCall.receivePacketInfo6)
                case .unix: break
                }
            }
            #if os(Linux)
                // Otherwise a socket hears groups that others of the machine joined (ip(7)).
                switch address {
                case .v4: set(fd, Int32(IPPROTO_IP), IP_MULTICAST_ALL, 0)
                case .v6: set(fd, Int32(IPPROTO_IPV6), IPV6_MULTICAST_ALL, 0)
                case .unix: break
                }
            #endif
            try bindReplacingStale(fd, address, SystemCall.datagramSocket) {}
            if let peer = configuration.peer {
                let result = try Platform.withKernelAddress(peer, "connect \(peer)") {
                    SystemCall.connectSocket(fd, $0, $1)
                }
                try check(result, "connect \(peer)")
            }
        } catch {
            close(fd)
            throw error
        }
        return (SocketHandle(rawValue: fd), localAddress(fd) ?? address)
    }

    static func setMembership(
        _ fd: Int32, of group: SocketAddress, interfaceIndex: UInt32, joins: Bool
    ) throws(SystemError) {
        let operation = joins ? "join \(group.host)" : "leave \(group.host)"
        switch group {
        case .v4(let raw, _):
            var request = ip_mreqn()
            request.imr_multiaddr.s_addr = raw
            request.imr_ifindex = Int32(bitPattern: interfaceIndex)
            let option = joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP
            try check(
                setsockopt(
                    fd, Int32(IPPROTO_IP), option, &request,
                    socklen_t(MemoryLayout<ip_mreqn>.size)), operation)
        case .v6(let high, let low, _, _):
            var request = ipv6_mreq()
            withUnsafeMutableBytes(of: &request.ipv6mr_multiaddr) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            request.ipv6mr_interface = interfaceIndex
            let option = joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP
            try check(
                setsockopt(
                    fd, Int32(IPPROTO_IPV6), option, &request,
                    socklen_t(MemoryLayout<ipv6_mreq>.size)), operation)
        case .unix:
            throw SystemError(code: EOPNOTSUPP, operation: operation)
        }
    }
}
