import Glibc
import NetPoll
import Testing

@Suite("FileTree")
struct FileTreeTests {
    @Test func `what is no regular file is passed over`() throws {
        let root = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"
        let inner = root + "/inner"
        #expect(mkdir(root, 0o700) == 0 && mkdir(inner, 0o700) == 0)
        defer { for directory in [inner, root] { rmdir(directory) } }
        let names = ["/a", "/.hidden", "/inner/b", "/fifo", "/link", "/inner/socket"]
        defer { for name in names { removeFile(root + name) } }
        for name in names.prefix(3) { makeEmptyFile(root + name) }
        #expect(mkfifo(root + "/fifo", 0o600) == 0)
        #expect(symlink("a", root + "/link") == 0)
        let world = try DriverKind.system.makeWorld()
        let listener = try world.loop.listen(on: .unix(path: inner + "/socket")) { _, _ in
            Recorder()
        }
        let files = try FileTree.read(root, filesMax: 10, bytesMax: 10)
        #expect(files.map(\.path) == ["a", "inner/b"])
        listener.close()
    }
}
