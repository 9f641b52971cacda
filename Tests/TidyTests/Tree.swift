import Foundation

/// The repository this test was compiled from.
enum Tree {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let folders = [
        ".ci", "API", "Benchmarks", "Examples", "Scripts", "Sources", "Tests",
    ]
    private static let skipped: Set<String> = [".build", ".git", ".swiftpm", "__pycache__"]

    /// Every text file that belongs to the project, read once.
    static let files: [SourceFile] = {
        var urls = children(of: root).filter { !isFolder($0) }
        var pending = folders.map { root.appending(path: $0) }
        while let folder = pending.popLast() {
            for url in children(of: folder) {
                if isFolder(url) {
                    pending.append(url)
                } else {
                    urls.append(url)
                }
            }
        }
        return urls.compactMap(read).sorted { $0.path < $1.path }
    }()

    /// What git holds at any path that ends so, or `nil` outside of a checkout.
    static func tracked(endingWith suffix: String) -> [String]? {
        let git = Process()
        git.executableURL = URL(filePath: "/usr/bin/env")
        git.arguments = ["git", "-C", root.path, "ls-files"]
        let output = Pipe()
        git.standardOutput = output
        git.standardError = FileHandle.nullDevice
        do {
            try git.run()
        } catch {
            return nil
        }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        git.waitUntilExit()
        guard git.terminationStatus == 0 else { return nil }
        return String(decoding: data, as: UTF8.self)
            .split(separator: "\n").map(String.init).filter { $0.hasSuffix(suffix) }
    }

    private static func children(of folder: URL) -> [URL] {
        // A folder that is not there has no files.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { !skipped.contains($0) }.map { folder.appending(path: $0) }
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
        return exists && isFolder.boolValue
    }

    private static func read(_ url: URL) -> SourceFile? {
        let path = String(url.path.dropFirst(root.path.count).trimmingPrefix("/"))
        guard let data = FileManager.default.contents(atPath: url.path) else { return nil }
        guard let text = String(validating: data, as: UTF8.self) else { return nil }
        return SourceFile(path: path, text: text)
    }
}
