internal import GRDB
internal import Hub

extension StoreError {
    /// What the engine's error means to the hub.
    init(_ error: any Error) {
        switch error {
        case let error as StoreError:
            self = error
        case let error as DatabaseError:
            self.init(Reason(error.resultCode), detail: "\(error)")
        default:
            self.init(.damaged, detail: "\(error)")
        }
    }
}

extension StoreError.Reason {
    fileprivate init(_ code: ResultCode) {
        switch code {
        case .SQLITE_FULL: self = .full
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_SCHEMA, .SQLITE_ERROR, .SQLITE_FORMAT:
            self = .damaged
        default: self = .unavailable
        }
    }
}
