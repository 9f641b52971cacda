public import Distributed

/// Why an actor cannot be called.
///
/// What is thrown where the actor is reaches the caller as an ``/RPC/RPCError`` instead.
public enum RPCActorError: DistributedActorSystemError, Hashable {
    /// There is no actor of that name here, and no way to look for it elsewhere.
    case unknownActor(RPCActorID)
    /// The actor of that name is of another type.
    case otherType(RPCActorID)
    /// The method has no name (``RPCActorMethods``); as Swift calls it.
    case unnamedMethod(String)
    /// Generic methods cannot be called: the other side would have to make types by their names.
    case genericMethod
}
