import WSFrame

/// A request that is not done, and how it is answered: by its status, and `{"error": …}`.
struct APIFailure: Error, Hashable {
    let status: HTTPStatus
    let text: String

    init(_ status: HTTPStatus, _ text: String) {
        self.status = status
        self.text = text
    }

    /// What to answer where something was thrown.
    init(_ error: any Error) {
        switch error {
        case let failure as APIFailure:
            self = failure
        case let failure as CommandFailure:
            self.init(Self.status(of: failure.reason), failure.text)
        default:
            self.init(.internalServerError, "that failed")
        }
    }

    private static func status(of reason: CommandFailure.Reason) -> HTTPStatus {
        switch reason {
        case .malformed: .badRequest
        case .unauthenticated: .unauthorized
        case .unknownCampaign: .notFound
        case .tooMany: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .storeFull: HTTPStatus(rawValue: 507)
        }
    }

    static let overloaded = APIFailure(.serviceUnavailable, "overloaded")

    var response: HTTPResponse {
        var object = JSONObject()
        do {
            try object.set("error", text)
        } catch {
            preconditionFailure("a text is no JSON: \(error)")
        }
        var response = HTTPResponse.json(object, status)
        if status == .unauthorized {
            response.headers.append(HTTPHeader("WWW-Authenticate", "Bearer"))
        }
        if status == .serviceUnavailable || status == .tooManyRequests {
            response.headers.append(HTTPHeader("Retry-After", "1"))
        }
        return response
    }
}

extension HTTPResponse {
    /// An answer of the API.
    static func json(_ answer: some APIMessage, _ status: HTTPStatus = .ok) -> HTTPResponse {
        do throws(CommandFailure) {
            return json(try answer.json(), status)
        } catch {
            return APIFailure(error).response
        }
    }

    static func json(_ object: JSONObject, _ status: HTTPStatus = .ok) -> HTTPResponse {
        json(object.bytes, status)
    }

    private static func json(_ object: [UInt8], _ status: HTTPStatus) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: [
                HTTPHeader("Content-Type", "application/json"),
                HTTPHeader("Cache-Control", "no-store"),
            ],
            body: object + [UInt8(ascii: "\n")])
    }
}
