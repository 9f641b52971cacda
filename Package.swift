// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "longwire",
    // Of what is meant for Darwin nothing was ever compiled there.
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "NetPoll", targets: ["NetPoll"]),
        .library(name: "NetPollTesting", targets: ["NetPollTesting"]),
        .library(name: "ConnPool", targets: ["ConnPool"]),
        .library(name: "ConnPoolMetrics", targets: ["ConnPoolMetrics"]),
        .library(name: "PrometheusText", targets: ["PrometheusText"]),
        .library(name: "WSFrame", targets: ["WSFrame"]),
        .library(name: "WSTransport", targets: ["WSTransport"]),
        .library(name: "MessagePack", targets: ["MessagePack"]),
        .library(name: "RPC", targets: ["RPC"]),
        .library(name: "MessagePackRPC", targets: ["MessagePackRPC"]),
        .library(name: "RPCJSON", targets: ["RPCJSON"]),
        .library(name: "RPCTesting", targets: ["RPCTesting"]),
        .library(name: "RPCDistributed", targets: ["RPCDistributed"]),
        .library(name: "RPCMessagePack", targets: ["RPCMessagePack"]),
        .library(name: "RPCMetrics", targets: ["RPCMetrics"]),
        .library(name: "RPCProtobuf", targets: ["RPCProtobuf"]),
        .library(name: "RPCTracing", targets: ["RPCTracing"]),
        .library(name: "Hub", targets: ["Hub"]),
        .library(name: "HubClientKit", targets: ["HubClientKit"]),
        .library(name: "HubHTTP", targets: ["HubHTTP"]),
        .library(name: "HubRPC", targets: ["HubRPC"]),
        .library(name: "HubUpstream", targets: ["HubUpstream"]),
        .library(name: "HubWebhooks", targets: ["HubWebhooks"]),
        .library(name: "HubJWT", targets: ["HubJWT"]),
        .library(name: "HubLifecycle", targets: ["HubLifecycle"]),
        .library(name: "HubSQLite", targets: ["HubSQLite"]),
        .library(name: "HubTesting", targets: ["HubTesting"]),
        .library(name: "HubTokens", targets: ["HubTokens"]),
        .executable(name: "chat-server", targets: ["ChatServer"]),
        .executable(name: "messagepack-peer", targets: ["MessagePackPeer"]),
        .executable(name: "rpc-greeter", targets: ["RPCGreeter"]),
        .executable(name: "rpc-bench", targets: ["RPCBench"]),
        .executable(name: "http-demo", targets: ["HTTPDemo"]),
        .executable(name: "rpc-cli", targets: ["RPCCLI"]),
        .executable(name: "pool-demo", targets: ["PoolDemo"]),
        .executable(name: "push-devices", targets: ["PushDevices"]),
        .executable(name: "push-server", targets: ["PushServer"]),
        .executable(name: "tiny-chat", targets: ["TinyChat"]),
        .executable(name: "ws-client", targets: ["WSClient"]),
        .executable(name: "ws-echo", targets: ["WSEcho"]),
        .executable(name: "ws-walker", targets: ["WSWalker"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
    ],
    targets: [
        .target(name: "CNetPoll"),
        .target(
            name: "NetPoll", dependencies: ["CNetPoll"], exclude: ["README.md"],
            swiftSettings: settings),
        .target(name: "NetPollTesting", dependencies: ["NetPoll"], swiftSettings: settings),
        .target(name: "ConnPool", dependencies: ["NetPoll"], swiftSettings: settings),
        .target(
            name: "ConnPoolMetrics",
            dependencies: [
                "ConnPool", .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "PrometheusText",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: settings
        ),
        .target(name: "CWSFrame"),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "WSFrame", dependencies: ["CWSFrame", "CZlib"], swiftSettings: settings),
        .target(
            name: "WSTransport", dependencies: ["NetPoll", "WSFrame"], swiftSettings: settings),
        .target(name: "MessagePack", swiftSettings: settings),
        .target(
            name: "RPC", dependencies: ["CZlib", "ConnPool", "NetPoll"], exclude: ["PROTOCOL.md"],
            swiftSettings: settings),
        .target(name: "RPCJSON", dependencies: ["RPC"], swiftSettings: settings),
        .target(
            name: "RPCTesting", dependencies: ["ConnPool", "NetPoll", "NetPollTesting", "RPC"],
            swiftSettings: settings),
        .target(
            name: "RPCDistributed", dependencies: ["MessagePack", "RPC"], swiftSettings: settings),
        .target(
            name: "RPCMessagePack", dependencies: ["MessagePack", "RPC"], swiftSettings: settings),
        .target(
            name: "RPCProtobuf",
            dependencies: ["RPC", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: settings
        ),
        .target(
            name: "RPCTracing",
            dependencies: [
                "RPC",
                .product(name: "Instrumentation", package: "swift-distributed-tracing"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "RPCMetrics",
            dependencies: [
                "ConnPool", "RPC", .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "MessagePackRPC", dependencies: ["MessagePack", "NetPoll"],
            swiftSettings: settings),
        .target(name: "HubWire", dependencies: ["MessagePack"], swiftSettings: settings),
        .target(
            name: "Hub",
            dependencies: [
                "HubWire", "NetPoll", "WSFrame", "WSTransport",
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["PROTOCOL.md"],
            resources: [.embedInCode("Script/hub.js")],
            swiftSettings: settings
        ),
        .target(
            name: "HubClientKit", dependencies: ["Hub", "NetPoll", "WSFrame", "WSTransport"],
            swiftSettings: settings),
        .target(
            name: "HubHTTP",
            dependencies: [
                "Hub", "HubWire", "NetPoll", "PrometheusText", "WSFrame", "WSTransport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [.embedInCode("Dashboard/Page")],
            swiftSettings: settings),
        .target(
            name: "HubRPC", dependencies: ["Hub", "HubHTTP", "RPC"], swiftSettings: settings),
        .target(
            name: "HubUpstream",
            dependencies: [
                "ConnPool", "Hub", "HubHTTP", "HubRPC", "NetPoll", "RPC", "WSFrame", "WSTransport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .target(
            name: "HubWebhooks",
            dependencies: [
                "ConnPool", "Hub", "HubHTTP", "HubUpstream", "NetPoll", "WSFrame",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .target(
            name: "HubJWT",
            dependencies: ["Hub", .product(name: "JWTKit", package: "jwt-kit")],
            swiftSettings: settings),
        .target(
            name: "HubLifecycle",
            dependencies: [
                "Hub", "NetPoll",
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(
            name: "HubSQLite",
            dependencies: ["Hub", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: settings),
        .target(
            name: "HubTokens",
            dependencies: [
                "Hub", "MessagePack", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .target(
            name: "HubTesting",
            dependencies: [
                "Hub", "NetPoll", "NetPollTesting", "WSFrame",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "ChatServer",
            dependencies: [
                "Hub", "HubHTTP", "HubSQLite", "HubTokens", "NetPoll", "WSFrame", "WSTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Examples/ChatServer",
            exclude: ["PROTOCOL.md"],
            resources: [.embedInCode("Public")],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "MessagePackPeer",
            dependencies: [
                "MessagePack", "MessagePackRPC", "NetPoll",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/MessagePackPeer",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "RPCBench",
            dependencies: [
                "ConnPool", "NetPoll", "RPC",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/RPCBench",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "RPCCLI",
            dependencies: [
                "NetPoll", "RPC",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/RPCCLI",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "RPCGreeter",
            dependencies: [
                "ConnPool", "NetPoll", "RPC", "RPCDistributed", "RPCJSON",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/RPCGreeter",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "HTTPDemo",
            dependencies: [
                "NetPoll", "PrometheusText", "WSFrame", "WSTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            path: "Examples/HTTPDemo",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "PoolDemo",
            dependencies: [
                "ConnPool", "NetPoll",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/PoolDemo",
            swiftSettings: settings
        ),
        .target(
            name: "PushWire", dependencies: ["Hub", "WSFrame"], path: "Examples/PushWire",
            swiftSettings: settings),
        .executableTarget(
            name: "PushDevices",
            dependencies: [
                "PushWire", "Hub", "HubJWT", "NetPoll", "WSFrame", "WSTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ],
            path: "Examples/PushDevices",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "PushServer",
            dependencies: [
                "ConnPool", "PushWire", "Hub", "HubHTTP", "HubJWT", "HubLifecycle", "HubRPC",
                "HubSQLite", "HubUpstream", "HubWebhooks", "NetPoll", "PrometheusText", "RPC",
                "WSFrame", "WSTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Examples/PushServer",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "TinyChat",
            dependencies: [
                "Hub", "NetPoll", "WSFrame", "WSTransport",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Examples/TinyChat",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "WSClient",
            dependencies: [
                "NetPoll", "WSFrame", "WSTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/WSClient",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Echo", dependencies: ["NetPoll"], path: "Examples/Echo",
            swiftSettings: settings),
        .executableTarget(
            name: "WSEcho",
            dependencies: [
                "NetPoll", "WSFrame", "WSTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/WSEcho",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "WSWalker",
            dependencies: [
                "NetPoll", "WSFrame", "WSTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/WSWalker",
            swiftSettings: settings
        ),
        .testTarget(
            name: "NetPollTests",
            dependencies: [
                "AllocationCounter", "EchoWorlds", "Lifetimes", "LoopbackClient", "NetPoll",
                "NetPollTesting", "Seeds", "SystemCallFilter",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "WSFrameTests", dependencies: ["AllocationCounter", "NetPollTesting", "WSFrame"],
            swiftSettings: settings),
        .testTarget(
            name: "ConnPoolTests",
            dependencies: ["AllocationCounter", "ConnPool", "NetPoll", "NetPollTesting", "Seeds"],
            swiftSettings: settings),
        .testTarget(
            name: "ConnPoolMetricsTests",
            dependencies: [
                "ConnPool", "ConnPoolMetrics",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "PrometheusTextTests",
            dependencies: [
                "PrometheusText", .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "WSTransportTests",
            dependencies: [
                "AllocationCounter", "Conversations", "LoopbackClient", "NetPoll", "NetPollTesting",
                "SystemCallFilter", "WSFrame", "WSTransport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MessagePackTests", dependencies: ["MessagePack"], swiftSettings: settings),
        .testTarget(
            name: "MessagePackRPCTests",
            dependencies: ["MessagePack", "MessagePackRPC", "NetPoll", "NetPollTesting"],
            swiftSettings: settings),
        .testTarget(
            name: "RPCCodecTests",
            dependencies: [
                "MessagePack", "NetPoll", "NetPollTesting", "RPC", "RPCMessagePack", "RPCProtobuf",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RPCDistributedTests",
            dependencies: [
                "MessagePack", "NetPoll", "NetPollTesting", "RPC", "RPCDistributed", "RPCTesting",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RPCTracingTests",
            dependencies: [
                "NetPoll", "NetPollTesting", "RPC", "RPCTesting", "RPCTracing",
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RPCMetricsTests",
            dependencies: [
                "NetPoll", "NetPollTesting", "RPC", "RPCMetrics", "RPCTesting",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RPCTests",
            dependencies: [
                "AllocationCounter", "ConnPool", "LoopbackClient", "NetPoll", "NetPollTesting",
                "RPC", "RPCJSON", "RPCTesting", "Seeds",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubTests",
            dependencies: [
                "Hub", "HubTesting", "HubTokens", "HubWorlds", "NetPoll", "NetPollTesting",
                "PushWire", "Seeds", "WSFrame", "WSTransport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ChatServerTests",
            dependencies: [
                "ChatServer", "Hub", "HubTesting", "HubTokens", "NetPoll", "NetPollTesting",
                "WSFrame",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubHTTPTests",
            dependencies: [
                "Hub", "HubHTTP", "HubTesting", "HubWorlds", "NetPoll", "NetPollTesting",
                "PrometheusText", "WSFrame", "WSTransport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubRPCTests",
            dependencies: [
                "ConnPool", "Hub", "HubHTTP", "HubRPC", "HubTesting", "HubWorlds", "NetPoll",
                "NetPollTesting", "RPC", "WSFrame",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubUpstreamTests",
            dependencies: [
                "ConnPool", "Hub", "HubHTTP", "HubTesting", "HubUpstream", "HubWorlds", "NetPoll",
                "NetPollTesting", "PrometheusText", "RPC", "Seeds", "WSFrame",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubWebhooksTests",
            dependencies: [
                "ConnPool", "Hub", "HubTesting", "HubUpstream", "HubWebhooks", "HubWorlds",
                "NetPoll", "NetPollTesting", "Seeds", "WSFrame", "WSTransport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubJWTTests",
            dependencies: [
                "Hub", "HubJWT", "NetPoll", .product(name: "JWTKit", package: "jwt-kit"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubLifecycleTests",
            dependencies: [
                "Hub", "HubLifecycle", "LoopbackClient", "NetPoll", "WSFrame", "WSTransport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubSQLiteTests",
            dependencies: [
                "Hub", "HubSQLite", "HubTesting", "HubWorlds", "NetPoll", "WSFrame", "WSTransport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubClientTests",
            dependencies: [
                "Hub", "HubClientKit", "HubTesting", "HubTokens", "NetPoll", "NetPollTesting",
                "WSFrame", "WSTransport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "HubTokensTests", dependencies: ["Hub", "HubTokens"], swiftSettings: settings),
        .testTarget(name: "TidyTests", swiftSettings: settings),
        .target(
            name: "FuzzTargets",
            dependencies: ["HubWire", "MessagePack", "MessagePackRPC", "RPC", "WSFrame"],
            path: "Tests/Fuzzing/Targets", swiftSettings: settings),
        .testTarget(
            name: "FuzzingTests", dependencies: ["FuzzTargets"], path: "Tests/Fuzzing/Tests",
            swiftSettings: settings),
        .target(
            name: "Lifetimes", dependencies: ["NetPoll", "NetPollTesting"],
            path: "Tests/Support/Lifetimes", swiftSettings: settings),
        .executableTarget(
            name: "lifetime-run", dependencies: ["Lifetimes"], path: "Tests/LifetimeRun",
            swiftSettings: settings),
        .target(
            name: "HubWorlds",
            dependencies: [
                "Hub", "HubTesting", "NetPoll", "NetPollTesting", "WSFrame", "WSTransport",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Support/HubWorlds", swiftSettings: settings),
        .executableTarget(
            name: "hub-simulation-run", dependencies: ["HubWorlds"],
            path: "Tests/HubSimulationRun", swiftSettings: settings),
        .executableTarget(
            name: "messagepack-run", dependencies: ["MessagePack"], path: "Tests/MessagePackRun",
            swiftSettings: settings),
        .executableTarget(
            name: "allocation-run",
            dependencies: [
                "AllocationCounter", "ConnPool", "Conversations", "EchoWorlds", "NetPoll", "RPC",
            ],
            path: "Tests/AllocationRun", swiftSettings: settings),
        .executableTarget(
            name: "store-run", dependencies: ["Hub", "HubSQLite"], path: "Tests/StoreRun",
            swiftSettings: settings),
        .target(
            name: "Conversations",
            dependencies: ["AllocationCounter", "NetPoll", "WSFrame", "WSTransport"],
            path: "Tests/Support/Conversations", swiftSettings: settings),
        .target(
            name: "EchoWorlds",
            dependencies: ["AllocationCounter", "LoopbackClient", "NetPoll", "NetPollTesting"],
            path: "Tests/Support/EchoWorlds", swiftSettings: settings),
        .target(name: "SystemCallFilter", path: "Tests/Support/SystemCallFilter"),
        .target(name: "AllocationCounter", path: "Tests/Support/AllocationCounter"),
        .target(name: "Seeds", path: "Tests/Support/Seeds", swiftSettings: settings),
        .target(
            name: "LoopbackClient", path: "Tests/Support/LoopbackClient", swiftSettings: settings),
    ]
)

// For the sanitizers, which are for code that handles memory and threads by hand, and for the release build of most
// changes: building the rest for each of them would take longer than all their tests. `LONGWIRE_CORE=1` leaves out what
// stands on large foreign packages, `LONGWIRE_ONLY="NAME NAME"` all but these targets and what they stand on.
let core = Context.environment["LONGWIRE_CORE"] != nil
let only = Context.environment["LONGWIRE_ONLY"]?.split(separator: " ").map(String.init)
if core || only != nil {
    let large: Set = [
        "GRDB.swift", "jwt-kit", "swift-crypto", "swift-distributed-tracing", "swift-protobuf",
        "swift-service-lifecycle",
    ]
    if core {
        // Of the hub's tests those of resume tokens alone need swift-crypto.
        for target in package.targets where target.name == "HubTests" {
            target.dependencies.removeAll { dependency in
                if case .byNameItem("HubTokens", _) = dependency { true } else { false }
            }
            target.exclude.append("Resume")
        }
    }
    let targets = Dictionary(uniqueKeysWithValues: package.targets.map { ($0.name, $0) })
    func targetNames(of target: Target) -> [String] {
        target.dependencies.compactMap { dependency in
            switch dependency {
            case .targetItem(let name, _), .byNameItem(let name, _): name
            default: nil
            }
        }
    }
    func packages(of target: Target) -> Set<String> {
        var packages: Set<String> = []
        for case .productItem(_, let package?, _, _) in target.dependencies {
            packages.insert(package)
        }
        for name in targetNames(of: target) {
            packages.formUnion(targets[name].map(packages(of:)) ?? [])
        }
        return packages
    }
    var kept: Set<String> = []
    func keep(_ name: String) {
        guard let target = targets[name], kept.insert(name).inserted else { return }
        targetNames(of: target).forEach(keep)
    }
    for target in package.targets
    where only?.contains(target.name) ?? packages(of: target).isDisjoint(with: large) {
        keep(target.name)
    }
    package.targets.removeAll { !kept.contains($0.name) }
    package.products.removeAll { product in
        switch product {
        case let library as Product.Library: !kept.isSuperset(of: library.targets)
        case let executable as Product.Executable: !kept.isSuperset(of: executable.targets)
        default: false
        }
    }
    let needed = package.targets.reduce(into: Set<String>()) { $0.formUnion(packages(of: $1)) }
    package.dependencies.removeAll { dependency in
        guard case .sourceControl(_, let location, _) = dependency.kind else { return false }
        return !needed.contains { location.hasSuffix("/\($0).git") }
    }
}
