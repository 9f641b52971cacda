public import Hub

/// Resume tokens that hold everything themselves, signed with HMAC-SHA256 (RFC 2104, FIPS 180-4):
/// no table of them is kept, and every process with the key reads them, also after a restart.
///
/// A token is the base64url (RFC 4648 §5) of 4 bytes that name the key, the state in MessagePack, and
/// 32 bytes of signature over both. It is signed, not secret: its client can read in it the names of
/// its own user and topics, and what its credentials grant.
public struct SignedResumeTokens: ResumeTokens {
    /// The longest token that is looked at, in bytes; longer ones are malformed.
    public static let tokenBytesMax = 65_536
    static let signatureBytes = 32

    private let keys: [ResumeKey]

    /// Creates tokens.
    ///
    /// - Parameter keys: The first signs, each is believed. To change keys put a new one first, and
    ///   take the old one out when its last tokens have expired.
    public init(keys: [ResumeKey]) {
        precondition(!keys.isEmpty, "resume tokens without a key")
        self.keys = keys
    }

    public func token(for state: ResumeState) -> String {
        let payload = keys[0].id + state.packed
        return Base64URL.encode(payload + keys[0].signature(of: payload))
    }

    public func state(
        of token: String, at now: Timestamp
    ) throws(ResumeTokenError) -> ResumeState {
        guard token.utf8.count <= Self.tokenBytesMax, let bytes = Base64URL.decode(token),
            bytes.count > ResumeKey.idBytes + Self.signatureBytes
        else { throw .malformed }
        let payload = Array(bytes.dropLast(Self.signatureBytes))
        let id = payload.prefix(ResumeKey.idBytes)
        guard let key = keys.first(where: { id.elementsEqual($0.id) }) else { throw .foreign }
        guard key.isSignature(Array(bytes.suffix(Self.signatureBytes)), of: payload) else {
            throw .tampered
        }
        // What was signed was written here; another version may have written it otherwise.
        guard let state = ResumeState(packed: Array(payload.dropFirst(ResumeKey.idBytes))) else {
            throw .malformed
        }
        guard now < state.expiry else { throw .expired }
        return state
    }
}
