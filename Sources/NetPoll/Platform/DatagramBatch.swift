internal import CNetPoll

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The kernel's tables for one batch of datagrams (recvmmsg(2), sendmmsg(2)); one for a driver.
///
/// On Darwin the shim makes a call for each datagram of a batch.
final class DatagramBatch {
    /// Laid out as struct mmsghdr (recvmmsg(2)), which the shim has on Darwin, too.
    private struct Message {
        var header = msghdr()
        var length: UInt32 = 0
    }

    private static var controlBytes: Int { 64 }

    private let messages: UnsafeMutablePointer<Message>
    private let vectors: UnsafeMutablePointer<iovec>
    private let names: UnsafeMutablePointer<sockaddr_storage>
    private let control: UnsafeMutableRawPointer
    private let capacity = DatagramQueue.batchMax

    init() {
        messages = .allocate(capacity: capacity)
        vectors = .allocate(capacity: capacity)
        names = .allocate(capacity: capacity)
        control = .allocate(byteCount: capacity * Self.controlBytes, alignment: 16)
        names.initialize(repeating: sockaddr_storage(), count: capacity)
    }

    deinit {
        messages.deallocate()
        vectors.deallocate()
        names.deallocate()
        control.deallocate()
    }

    /// Receives into consecutive parts of `buffer`, each of `size` bytes; returns how many
    /// datagrams, or -1 with errno.
    func receive(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, size: Int, info: Bool
    ) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        let count = min(capacity, buffer.count / size)
        for index in 0..<count {
            vectors[index] = iovec(iov_base: base + index * size, iov_len: size)
            var message = Message()
            message.header.msg_name = UnsafeMutableRawPointer(names + index)
            message.header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
            message.header.msg_iov = vectors + index
            message.header.msg_iovlen = 1
            if info {
                message.header.msg_control = control + index * Self.controlBytes
                message.header.msg_controllen = .init(Self.controlBytes)
            }
            messages[index] = message
        }
        return Int(cnetpoll_recvmmsg(fd, messages, UInt32(count)))
    }

    func byteCount(_ index: Int) -> Int { Int(messages[index].length) }

    func arrival(_ index: Int) -> DatagramArrival {
        var header = messages[index].header
        var info = cnetpoll_arrival()
        cnetpoll_packet_info(&header, &info)
        var destination: SocketAddress?
        if info.family == AF_INET {
            destination = .v4(info.v4, port: 0)
        } else if info.family == AF_INET6 {
            destination = .v6(
                UInt64(bigEndian: info.v6_high), UInt64(bigEndian: info.v6_low), port: 0,
                scope: 0)
        }
        return DatagramArrival(
            source: Platform.address(from: names[index], length: header.msg_namelen),
            destination: destination, interfaceIndex: info.interface,
            isTruncated: header.msg_flags & Int32(MSG_TRUNC) != 0)
    }

    /// Receives batches, no more than a turn may, and delivers them, as long as they are wanted.
    func receiveAll(
        _ fd: Int32, _ token: Token, _ loop: EventLoop, while isWanted: () -> Bool
    ) {
        guard let configuration = loop.datagramSocket(for: token)?.configuration else { return }
        let size = configuration.datagramBytesMax
        for _ in 0..<loop.configuration.readsPerConnectionMax {
            guard loop.descriptor(of: token) == fd, isWanted() else { return }
            let count = receive(
                fd, into: loop.receiveBuffer, size: size, info: configuration.packetInfo)
            guard count >= 0 else {
                if errno == EINTR { continue }
                if errno != EAGAIN { loop.failed(errno, on: token) }
                return
            }
            // The tables are read before a handler may send, which uses them, too.
            let arrivals = (0..<count).map { (arrival($0), byteCount($0)) }
            for (index, (arrival, length)) in arrivals.enumerated() {
                let start = index * size
                let bytes = UnsafeMutableRawBufferPointer(
                    rebasing: loop.receiveBuffer[start..<start + min(size, length)])
                guard loop.receivedDatagram(bytes, arrival, on: token) else { return }
            }
            guard count == min(capacity, loop.receiveBuffer.count / size) else { return }
        }
    }

    /// Sends a batch; returns how many datagrams the kernel took, which is fewer where room or
    /// the next one's error stopped it, or a negative errno where the first one failed.
    func send(_ fd: Int32, _ datagrams: UnsafeBufferPointer<OutgoingDatagram>) -> Int {
        var count = min(capacity, datagrams.count)
        for index in 0..<count {
            let datagram = datagrams[index]
            // The kernel only reads through it.
            vectors[index] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: datagram.bytes.baseAddress),
                iov_len: datagram.bytes.count)
            var message = Message()
            message.header.msg_iov = vectors + index
            message.header.msg_iovlen = 1
            if let destination = datagram.destination {
                do throws(SystemError) {
                    try Platform.withKernelAddress(destination, "send") { address, length in
                        UnsafeMutableRawPointer(names + index)
                            .copyMemory(from: address, byteCount: Int(length))
                        message.header.msg_namelen = length
                    }
                } catch {
                    // As a kernel does: those before it are sent first.
                    guard index > 0 else { return -Int(error.code) }
                    count = index
                    break
                }
                message.header.msg_name = UnsafeMutableRawPointer(names + index)
            }
            messages[index] = message
        }
        while true {
            let sent = Int(cnetpoll_sendmmsg(fd, messages, UInt32(count)))
            if sent >= 0 { return sent }
            let code = errno
            if code == EAGAIN { return 0 }
            if code != EINTR { return -Int(code) }
        }
    }
}
