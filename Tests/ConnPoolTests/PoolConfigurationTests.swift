import Testing

@testable import ConnPool

@Suite("PoolConfiguration")
struct PoolConfigurationTests {
    @Test func `the defaults, and the edges of what makes sense, are taken`() {
        PoolConfiguration().check()
        var least = PoolConfiguration()
        (least.connectionsMax, least.idleMin, least.leasesPerConnection) = (1, 1, 1)
        (least.waitersMax, least.dialsMax, least.staleTriesMax) = (0, 1, 0)
        (least.lifetimeJitter, least.replacementLead) = (0, .zero)
        (least.idleTimeout, least.lifetimeMax, least.leakThreshold) = (nil, nil, nil)
        least.leaseTimeout = .nanoseconds(1)
        least.check()
        var most = PoolConfiguration()
        (most.connectionsMax, most.idleMin, most.waitersMax) = (1 << 24, 1 << 24, 1 << 24)
        (most.leasesPerConnection, most.lifetimeJitter) = (Int(Int32.max), 1)
        most.check()
    }

    @Test(arguments: 0..<14)
    func `a value that makes no sense traps`(index: Int) async {
        await #expect(processExitsWith: .failure) { [index] in
            var configuration = PoolConfiguration()
            switch index {
            case 0: configuration.connectionsMax = 0
            case 1: configuration.connectionsMax = 1 << 24 + 1
            case 2: configuration.idleMin = configuration.connectionsMax + 1
            case 3: configuration.leasesPerConnection = 0
            case 4: configuration.waitersMax = -1
            case 5: configuration.leaseTimeout = .zero
            case 6: configuration.lifetimeJitter = 1.01
            case 7: configuration.dialsMax = 0
            case 8: configuration.staleTriesMax = -1
            case 9: configuration.idleTimeout = .zero
            case 10: configuration.dialTimeout = .zero
            case 11: configuration.closeTimeout = .seconds(-1)
            case 12: configuration.leakThreshold = .zero
            default: configuration.replacementLead = .seconds(-1)
            }
            configuration.check()
        }
    }
}
