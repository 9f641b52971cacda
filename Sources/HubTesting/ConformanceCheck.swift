/// One rule that an implementation of a seam has to keep.
///
/// A suite is a list of them, to be run one by one by whatever test library is at hand:
///
/// ```swift
/// @Test(arguments: MessageStoreSuite.checks)
/// func `the store keeps the rule`(check: ConformanceCheck<any MessageStore>) async throws {
///     try await check.run(MyStore())
/// }
/// ```
public struct ConformanceCheck<Subject: Sendable>: Sendable, CustomStringConvertible {
    /// The rule, as a sentence.
    public let description: String
    private let body: @Sendable (Subject) async throws -> Void

    init(_ description: String, _ body: @escaping @Sendable (Subject) async throws -> Void) {
        self.description = description
        self.body = body
    }

    /// Checks a subject, which is new and used by nobody else.
    ///
    /// - Throws: ``ConformanceFailure`` where the rule is broken, or what the subject threw.
    public func run(_ subject: Subject) async throws {
        try await body(subject)
    }
}

/// A rule was broken.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// What was found in place of what.
    public let description: String
}

/// Fails where the two differ.
func expect<Value: Equatable>(
    _ found: Value, _ wanted: Value, _ what: String
) throws(ConformanceFailure) {
    guard found != wanted else { return }
    throw ConformanceFailure(description: "\(what): \(found) in place of \(wanted)")
}

/// Fails where there is nothing.
func require<Value>(_ value: Value?, _ what: String) throws(ConformanceFailure) -> Value {
    guard let value else { throw ConformanceFailure(description: "\(what): nothing") }
    return value
}
