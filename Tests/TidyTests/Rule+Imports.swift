extension Rule {
    /// What each module may import; an arrow only ever points down.
    static let modules: [String: Set<String>] = [
        "CNetPoll": [],
        "NetPoll": ["CNetPoll", "Synchronization"],
        "NetPollTesting": ["NetPoll", "Synchronization"],
        "ConnPool": ["NetPoll", "Synchronization"],
        "ConnPoolMetrics": ["ConnPool", "CoreMetrics", "Synchronization"],
        "PrometheusText": ["CoreMetrics", "Synchronization"],
        "HTTPDemo": [
            "ArgumentParser", "CoreMetrics", "NetPoll", "PrometheusText", "WSFrame", "WSTransport",
        ],
        "PushWire": ["Hub", "WSFrame"],
        "PushDevices": [
            "ArgumentParser", "PushWire", "Hub", "HubJWT", "JWTKit", "NetPoll",
            "Synchronization", "WSFrame", "WSTransport",
        ],
        "PushServer": [
            "ArgumentParser", "ConnPool", "PushWire", "Hub", "HubHTTP", "HubJWT", "HubLifecycle",
            "HubRPC", "HubSQLite", "HubUpstream", "HubWebhooks", "JWTKit", "Logging", "NetPoll",
            "PrometheusText", "RPC", "ServiceLifecycle", "UnixSignals", "WSFrame", "WSTransport",
        ],
        "PoolDemo": ["ArgumentParser", "ConnPool", "NetPoll", "Synchronization"],
        "CWSFrame": [],
        "CZlib": [],
        "WSFrame": ["CWSFrame", "CZlib"],
        "WSTransport": ["NetPoll", "WSFrame", "Synchronization"],
        "MessagePack": [],
        "RPC": ["CZlib", "ConnPool", "NetPoll", "Synchronization"],
        "HubWire": ["MessagePack"],
        "Hub": [
            "FoundationEssentials", "HubWire", "Logging", "NetPoll", "Synchronization", "WSFrame",
            "WSTransport",
        ],
        "HubHTTP": [
            "CoreMetrics", "Hub", "HubWire", "Logging", "NetPoll", "PrometheusText",
            "Synchronization", "WSFrame", "WSTransport",
        ],
        "HubRPC": ["Hub", "HubHTTP", "RPC"],
        "HubUpstream": [
            "ConnPool", "CoreMetrics", "Hub", "HubHTTP", "HubRPC", "NetPoll", "RPC",
            "Synchronization", "WSFrame", "WSTransport",
        ],
        "HubWebhooks": [
            "ConnPool", "Crypto", "Hub", "HubHTTP", "HubUpstream", "NetPoll", "WSFrame",
        ],
        "HubJWT": ["Hub", "JWTKit"],
        "HubLifecycle": ["Hub", "NetPoll", "ServiceLifecycle"],
        "HubSQLite": ["FoundationEssentials", "GRDB", "Hub", "Synchronization"],
        "HubClientKit": ["Hub", "NetPoll", "Synchronization", "WSFrame", "WSTransport"],
        "HubTokens": ["Crypto", "Hub", "MessagePack"],
        "HubTesting": [
            "Hub", "Logging", "NetPoll", "NetPollTesting", "Synchronization", "WSFrame",
        ],
        "ChatServer": [
            "ArgumentParser", "Hub", "HubHTTP", "HubSQLite", "HubTokens", "Logging", "NetPoll",
            "Synchronization", "WSFrame", "WSTransport",
        ],
        "MessagePackRPC": ["MessagePack", "NetPoll", "Synchronization"],
        "MessagePackPeer": [
            "ArgumentParser", "MessagePack", "MessagePackRPC", "NetPoll", "Synchronization",
        ],
        "RPCDistributed": ["Distributed", "MessagePack", "RPC", "Synchronization"],
        "RPCMessagePack": ["MessagePack", "RPC"],
        "RPCTracing": ["Instrumentation", "RPC", "Tracing"],
        "RPCMetrics": ["ConnPool", "CoreMetrics", "RPC", "Synchronization"],
        "RPCCLI": ["ArgumentParser", "FoundationEssentials", "NetPoll", "RPC"],
        "RPCProtobuf": ["RPC", "SwiftProtobuf"],
        "RPCJSON": ["FoundationEssentials", "RPC"],
        "RPCTesting": ["ConnPool", "NetPoll", "NetPollTesting", "RPC", "Synchronization"],
        "RPCGreeter": [
            "ArgumentParser", "ConnPool", "Distributed", "NetPoll", "RPC", "RPCDistributed",
            "RPCJSON",
        ],
        "RPCBench": ["ArgumentParser", "ConnPool", "NetPoll", "RPC"],
        "Echo": ["NetPoll"],
        "TinyChat": ["Hub", "Logging", "NetPoll", "WSFrame", "WSTransport"],
        "WSClient": ["ArgumentParser", "NetPoll", "Synchronization", "WSFrame", "WSTransport"],
        "WSWalker": ["ArgumentParser", "NetPoll", "Synchronization", "WSFrame", "WSTransport"],
        "WSEcho": ["ArgumentParser", "NetPoll", "Synchronization", "WSFrame", "WSTransport"],
    ]

    /// The C library, for files in a `Platform` folder only.
    static let system: Set<String> = ["Glibc", "Musl", "Darwin"]

    static let imports = Rule(
        description: "a module imports only what stands below it",
        covers: { $0.module != nil && $0.isSwift },
        findings: { file in
            guard let module = file.module, let allowed = modules[module] else {
                return [
                    Finding(path: file.path, line: 1, text: "its module has no list of imports")
                ]
            }
            return file.lines(with: ["import"]).filter { index in
                guard let imported = importedModule(file.code(at: index)) else { return false }
                if file.path.contains("/Platform/"), system.contains(imported) { return false }
                return !allowed.contains(imported)
            }
            .map(file.finding)
        },
        bad: [
            sample("Sources/WSFrame/A.swift", "import NetPoll"),
            sample("Sources/WSFrame/A.swift", "import Synchronization"),
            sample("Sources/NetPoll/Loop/A.swift", "internal import Glibc"),
            sample("Sources/NetPoll/Loop/A.swift", "public import struct WSFrame.Opcode"),
            sample("Sources/WSTransport/A.swift", "@testable import Hub"),
            sample("Sources/Hub/A.swift", "  @preconcurrency public import ArgumentParser"),
            sample("Sources/Unknown/A.swift", "let a = 1"),
        ],
        good: [
            sample("Sources/NetPoll/Platform/A.swift", "internal import Glibc"),
            sample("Sources/Hub/A.swift", "public import WSTransport", "// import Foundation"),
        ]
    )

    static let coreTests = Rule(
        description: "of the hub's tests, only those of resuming use what LONGWIRE_CORE leaves out",
        covers: { $0.isUnder("Tests/HubTests") && !$0.isUnder("Tests/HubTests/Resume") },
        findings: { file in
            file.lines(with: ["import"]).filter {
                importedModule(file.code(at: $0)) == "HubTokens"
            }
            .map(file.finding)
        },
        bad: [sample("Tests/HubTests/Seams/A.swift", "import HubTokens")],
        good: [
            sample("Tests/HubTests/Resume/A.swift", "import HubTokens"),
            sample("Tests/HubTests/Seams/A.swift", "import HubTesting", "// import HubTokens"),
        ]
    )

    static let sansIO = Rule(
        description: "a sans-IO core has no clock, lock, task or random source of its own",
        covers: { file in
            file.isSwift
                && [
                    "WSFrame", "WSTransport/ClientAddress", "ConnPool/Core", "ConnPool/Balancing",
                    "HubUpstream/Core", "MessagePack", "MessagePackRPC/Wire", "RPC/Core",
                    "RPC/Resilience", "RPC/Wire",
                ].contains { file.isUnder("Sources/\($0)") }
        },
        findings: {
            $0.findings(
                of:
                    /\b(ContinuousClock|SuspendingClock|SystemRandomNumberGenerator|Mutex|Task)\b|\.random\((?!.*\busing: )/,
                with: "Clock", "SystemRandomNumberGenerator", "Mutex", "Task", ".random(")
        },
        bad: [
            sample("Sources/WSFrame/A.swift", "let now = ContinuousClock.now"),
            sample("Sources/WSFrame/A.swift", "let key = UInt32.random(in: 0...9)"),
            sample("Sources/ConnPool/Balancing/A.swift", "let index = Int.random(in: 0..<9)"),
            sample("Sources/WSFrame/A.swift", "Task { await a() }"),
            sample("Sources/RPC/Core/A.swift", "let lock = Mutex(0)"),
        ],
        good: [
            sample(
                "Sources/WSFrame/A.swift",
                "func next(using random: inout some RandomNumberGenerator)"),
            sample(
                "Sources/ConnPool/Core/A.swift",
                "let part = Double.random(in: 0...1, using: &random)"),
        ]
    )

    private static func importedModule(_ code: Substring) -> String? {
        let declaration =
            /^\s*(@\w+\s+)*((public|package|internal|fileprivate|private)\s+)?import\s+((struct|class|enum|protocol|func|var|let|typealias)\s+)?(?<module>\w+)/
        return code.firstMatch(of: declaration).map { String($0.module) }
    }
}
