import Crypto
public import Hub

/// What proves that a request comes from a hub, and when it was made: `X-Longwire-Signature:
/// t=1700000000,v1=…`.
///
/// `t` is the time in seconds since 1970; each `v1` is the HMAC-SHA256 (RFC 2104) of `t`, a full stop and
/// the body, in 64 lower-case hexadecimal digits, by one secret. A receiver computes it over the body's
/// bytes as they came, compares it in constant time, and refuses times that are long ago.
public enum WebhookSignature {
    /// The header that the signature stands in.
    public static let header = "X-Longwire-Signature"

    /// Signs a body.
    ///
    /// - Parameters:
    ///   - body: As it is sent.
    ///   - time: When.
    ///   - secrets: Each of them signs.
    /// - Returns: The header's value.
    public static func sign(
        _ body: [UInt8], at time: Timestamp, with secrets: WebhookSecrets
    ) -> String {
        let seconds = time.milliseconds / 1_000
        let signatures = secrets.keys.map { key in
            "v1=" + hex(HMAC<SHA256>.authenticationCode(for: signed(body, seconds), using: key))
        }
        return (["t=\(seconds)"] + signatures).joined(separator: ",")
    }

    /// Whether a request was signed by one of the secrets, and lately.
    ///
    /// - Parameters:
    ///   - value: The header's value.
    ///   - body: The body as it came.
    ///   - time: When it came.
    ///   - secrets: Whoever has one of them is believed.
    ///   - tolerance: How far the times may be apart. Default 5 minutes.
    /// - Returns: `false` for a header that is not of that form, too.
    public static func isValid(
        _ value: String, for body: [UInt8], at time: Timestamp, with secrets: WebhookSecrets,
        tolerance: Duration = .seconds(300)
    ) -> Bool {
        guard let (seconds, codes) = parts(of: value) else { return false }
        let age = time - Timestamp(milliseconds: seconds * 1_000)
        guard age <= tolerance, age >= .zero - tolerance - .seconds(1) else { return false }
        let message = signed(body, seconds)
        // Each is compared in constant time; how many were compared is no secret.
        return codes.contains { code in
            secrets.keys.contains { key in
                HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: message, using: key)
            }
        }
    }

    private static func signed(_ body: [UInt8], _ seconds: Int64) -> [UInt8] {
        Array("\(seconds).".utf8) + body
    }

    /// The time, and the bytes of at most as many signatures as there may be secrets.
    private static func parts(of value: String) -> (seconds: Int64, codes: [[UInt8]])? {
        var seconds: Int64?
        var codes: [[UInt8]] = []
        for part in value.split(separator: ",") {
            let sides = part.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2 else { return nil }
            switch sides[0] {
            case "t":
                // In its one form: neither with a plus nor with zeros before it.
                guard seconds == nil, let number = Int64(sides[1]), number >= 0,
                    number < 1 << 40, sides[1] == "\(number)"
                else { return nil }
                seconds = number
            case "v1":
                guard codes.count < WebhookSecrets.secretsMax, let code = bytes(of: sides[1])
                else { return nil }
                codes.append(code)
            default:
                // What later versions add.
                continue
            }
        }
        return seconds.map { ($0, codes) }
    }

    private static func hex(_ code: HMAC<SHA256>.MAC) -> String {
        code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(of hex: Substring) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = value(of: digits[index]), let low = value(of: digits[index + 1])
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x57
        default: nil
        }
    }
}
