import NetPoll

extension RPCServer {
    /// The connections of clients on `loop`; called on it.
    func peers(on loop: EventLoop) -> [RPCConnection] { shards.shard(of: loop).connections }
}
