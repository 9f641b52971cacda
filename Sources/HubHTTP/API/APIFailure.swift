import Hub
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
        case let error as StoreError where error.reason == .full:
            self.init(HTTPStatus(rawValue: 507), "the store is full")
        case is StoreError:
            self.init(.serviceUnavailable, "the store cannot take it now")
        default:
            // The body was not JSON, or not of that form.
            self.init(.badRequest, "the body is not what it has to be")
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
    static func json(_ object: JSONObject, _ status: HTTPStatus = .ok) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: [
                HTTPHeader("Content-Type", "application/json"),
                HTTPHeader("Cache-Control", "no-store"),
            ],
            body: object.bytes + [UInt8(ascii: "\n")])
    }
}
