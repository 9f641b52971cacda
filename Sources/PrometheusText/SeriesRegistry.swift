/// Which series there are, by the name of their family and their labels.
struct SeriesRegistry {
    struct Family {
        let kind: SeriesKind
        var series: [String: Entry] = [:]
    }

    struct Entry {
        let value: any SeriesValue
        /// How many metrics write it.
        var users: Int
    }

    private(set) var families: [String: Family] = [:]
    private(set) var count = 0
    /// Series that there was no room for, or whose name is another kind's.
    private(set) var dropped = 0
    /// Where a series is, to give it back.
    private var places: [ObjectIdentifier: (name: String, labels: String)] = [:]

    /// The series of that name and labels; where there can be none, one that nobody reads.
    mutating func take<Value: SeriesValue>(
        _ name: String, _ labels: String, seriesMax: Int, _ make: () -> Value
    ) -> Value {
        if let entry = families[name]?.series[labels] {
            guard let value = entry.value as? Value else {
                dropped += 1
                return make()
            }
            families[name]?.series[labels]?.users += 1
            return value
        }
        let value = make()
        guard count < seriesMax, families[name].map({ $0.kind == Value.kind }) ?? true else {
            dropped += 1
            return value
        }
        count += 1
        families[name, default: Family(kind: Value.kind)].series[labels] = Entry(
            value: value, users: 1)
        places[ObjectIdentifier(value)] = (name, labels)
        return value
    }

    /// Forgets a series once nobody writes it.
    mutating func giveBack(_ value: any SeriesValue) {
        guard let (name, labels) = places[ObjectIdentifier(value)],
            let users = families[name]?.series[labels]?.users
        else { return }
        guard users == 1 else {
            families[name]?.series[labels]?.users = users - 1
            return
        }
        places[ObjectIdentifier(value)] = nil
        families[name]?.series[labels] = nil
        count -= 1
        if families[name]?.series.isEmpty ?? false { families[name] = nil }
    }
}
