/// The data of a Response, for fuzzing: reads them, and writes what was read.
package enum ProbedResponse {
    /// What does not hold for `input`; `nil` where all does.
    package static func finding(in input: [UInt8]) -> String? {
        input.withUnsafeBytes { bytes in
            do throws(EnvelopeError) {
                return finding(in: try ResponseEnvelope(bytes), of: bytes)
            } catch {
                // Refused, which is as good.
                return nil
            }
        }
    }

    private static func finding(
        in envelope: ResponseEnvelope, of bytes: UnsafeRawBufferPointer
    ) -> String? {
        var ranges = [envelope.message, envelope.payload, envelope.details]
        var count = 0
        envelope.forEachDetail(of: bytes) { detail in
            count += 1
            ranges += [detail.typeURL, detail.value]
        }
        guard ranges.allSatisfy({ $0.upperBound <= bytes.count }) else {
            return "\(envelope) of \(bytes.count) bytes"
        }
        guard count == envelope.detailCount else { return "\(count) details of \(envelope)" }
        // Of a success nothing but the payload is kept.
        guard envelope.code != 0 else { return nil }
        let error = RPCError(envelope, of: bytes)
        guard error.message.utf8.elementsEqual(bytes[envelope.message]) else {
            return "the message was changed: \(error)"
        }
        let written = ResponseHead(status: error).bytes(.init(start: nil, count: 0), stream: 1)
        let again = written.withUnsafeBytes { bytes -> RPCError? in
            // What is written here has to be read here.
            (try? ResponseEnvelope(bytes)).map { RPCError($0, of: bytes) }
        }
        return again == error ? nil : "\(error) came back as \(again.debugDescription)"
    }
}
