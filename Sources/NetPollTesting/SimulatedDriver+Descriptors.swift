package import NetPoll

// Descriptors passed over simulated Unix connections; they are real ones of this process.
extension SimulatedDriver {
    package func sendDescriptor(
        _ socket: SocketHandle, _ descriptor: Int32, mark: UInt8, token: Token
    ) -> SendOutcome {
        guard let endpoint = endpoint(of: socket) else {
            network.fail("send on socket \(socket.rawValue), which is not open")
        }
        guard endpoint.passesDescriptors else {
            return .failed(Platform.Errno.operationNotSupported)
        }
        if let outcome = outcomeOfFault(endpoint) { return outcome }
        do {
            // The sender's own is closed as soon as it was sent.
            let copy = try OpenFile(duplicating: descriptor)
            if endpoint.send(copy, mark: mark) { return .sent(1) }
        } catch {
            return .failed(error.code)
        }
        endpoint.awaitsRoom = true
        return .sent(0)
    }

    /// Hands over the descriptors that stand before the next byte, or closes them.
    func deliverDescriptors(_ endpoint: Endpoint, _ token: Token, wanted: Bool, _ loop: EventLoop) {
        for file in endpoint.takeDescriptors() where wanted {
            // Where descriptors are exhausted it is lost, as a kernel's would be.
            guard let copy = try? Platform.duplicate(file.descriptor) else { continue }
            loop.receivedDescriptor(copy, on: token)
        }
    }
}
