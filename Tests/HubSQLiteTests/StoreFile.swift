import Glibc
import Hub
import HubSQLite

/// A file for a store, in a folder of its own that goes with the value.
final class StoreFile: Sendable {
    let path: String
    private let folder: String

    init() throws {
        var template = Array("/tmp/longwire-store-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw StoreError(.unavailable, detail: "mkdtemp") }
        folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        path = "\(folder)/hub.sqlite"
    }

    deinit {
        for suffix in ["", "-wal", "-shm", "-lock"] { unlink(path + suffix) }
        rmdir(folder)
    }

    func open(
        _ configuration: SQLiteMessageStore.Configuration = .init()
    ) throws -> SQLiteMessageStore {
        try SQLiteMessageStore(path: path, configuration: configuration)
    }

    func write(_ bytes: [UInt8]) {
        let descriptor = creat(path, 0o600)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        Glibc.close(descriptor)
    }
}
