/// A setting by its option, or else by its environment variable, or else by default.
struct Setting<Value> {
    let option: String
    let variable: String
    /// What a value has to be, for people.
    let rule: String
    let parse: (String) -> Value?
    let fallback: Value

    /// The value in force.
    ///
    /// - Parameter given: The option's value, if the option was used.
    /// - Returns: What it says, parsed.
    /// - Throws: ``SettingError`` where it breaks the rule.
    func value(_ given: String?) throws(SettingError) -> Value {
        if let given { return try parsed(given, from: option) }
        guard let text = Environment.value(of: variable), !text.isEmpty else {
            return fallback
        }
        return try parsed(text, from: variable)
    }

    private func parsed(_ text: String, from source: String) throws(SettingError) -> Value {
        guard let value = parse(text) else {
            throw SettingError(message: "\(source) is \"\(text)\", but has to be \(rule)")
        }
        return value
    }
}

extension Setting where Value == Int {
    /// A whole number within a range.
    init(_ option: String, _ variable: String, in range: ClosedRange<Int>, default fallback: Int) {
        self.init(
            option: option, variable: variable,
            rule: "a number from \(range.lowerBound) to \(range.upperBound)",
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } },
            fallback: fallback)
    }
}

/// A setting that cannot be used.
struct SettingError: Error {
    let message: String
}
