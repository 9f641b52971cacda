// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "longwire-benchmarks",
    dependencies: [
        .package(name: "longwire", path: ".."),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    ],
    targets: [
        .executableTarget(
            name: "ws-broadcast",
            dependencies: [
                .product(name: "NetPoll", package: "longwire"),
                .product(name: "WSFrame", package: "longwire"),
                .product(name: "WSTransport", package: "longwire"),
            ],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .executableTarget(
            name: "hub-fanout",
            dependencies: [
                .product(name: "Hub", package: "longwire"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NetPoll", package: "longwire"),
                .product(name: "WSFrame", package: "longwire"),
                .product(name: "WSTransport", package: "longwire"),
            ],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .executableTarget(
            name: "tcp-echo",
            dependencies: [.product(name: "NetPoll", package: "longwire")],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .executableTarget(
            name: "timers",
            dependencies: [.product(name: "NetPoll", package: "longwire")],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .executableTarget(
            name: "pool",
            dependencies: [.product(name: "ConnPool", package: "longwire")],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .executableTarget(
            name: "codec",
            dependencies: [.product(name: "WSFrame", package: "longwire")],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
        .executableTarget(
            name: "deflate-contexts",
            dependencies: [.product(name: "WSFrame", package: "longwire")],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny")]
        ),
    ]
)
