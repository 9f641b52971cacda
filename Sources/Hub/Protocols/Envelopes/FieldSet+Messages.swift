import HubWire

// What several envelopes have in common: messages, positions and durations.
extension FieldSet {
    /// The longest name of a topic, event, key or publication that a client may send, in bytes.
    static let nameBytesMax = 256

    // MARK: - Writing

    mutating func set(_ key: FieldKey, _ text: String?) {
        self[key] = text.map { .text($0) }
    }

    mutating func set(_ key: FieldKey, _ number: Int?) {
        self[key] = number.map { .count(UInt64(clamping: $0)) }
    }

    mutating func set(_ id: RequestID?) {
        self[.id] = id.map { .count(UInt64($0.rawValue)) }
    }

    mutating func set(_ position: TopicPosition?) {
        self[.epoch] = position.map { .mark($0.epoch.rawValue) }
        self[.offset] = position.map { .count($0.offset) }
    }

    /// In whole milliseconds; a negative one is none.
    mutating func set(_ key: FieldKey, _ duration: Duration?) {
        self[key] = duration.map {
            .count(UInt64(clamping: (Timestamp(milliseconds: 0) + $0).milliseconds))
        }
    }

    mutating func set(_ payload: Payload) {
        switch payload.format {
        // What is not UTF-8 after all must not reach a text frame.
        case .text: self[.text] = .text(payload.text)
        case .json: self[.json] = .json(payload.bytes)
        case .binary: self[.bytes] = .bytes(payload.bytes)
        }
    }

    mutating func set(_ message: HubMessage) {
        set(.event, message.event)
        set(.from, message.sender)
        set(.key, message.key)
        set(message.payload)
    }

    // MARK: - Reading

    func id() throws(WireError) -> RequestID {
        guard let id = try optionalID() else { throw WireError("id is missing") }
        return id
    }

    func optionalID() throws(WireError) -> RequestID? {
        guard let number = optionalCount(.id) else { return nil }
        guard let id = UInt32(exactly: number) else { throw WireError("id exceeds 32 bits") }
        return RequestID(rawValue: id)
    }

    func integer(_ key: FieldKey) throws(WireError) -> Int {
        Int(clamping: try count(key))
    }

    func duration(_ key: FieldKey) -> Duration? {
        optionalCount(key).map { .milliseconds(Int64(clamping: $0)) }
    }

    func position() throws(WireError) -> TopicPosition {
        TopicPosition(epoch: Epoch(rawValue: try mark(.epoch)), offset: try count(.offset))
    }

    func optionalPosition() throws(WireError) -> TopicPosition? {
        guard self[.epoch] != nil || self[.offset] != nil else { return nil }
        return try position()
    }

    func payload() throws(WireError) -> Payload {
        var json = self[.json]
        // Beside another form, `null` is as good as none.
        if isNull(json), self[.text] != nil || self[.bytes] != nil { json = nil }
        switch (self[.text], json, self[.bytes]) {
        case (.text(let text), nil, nil): return Payload(text: text)
        case (nil, .json(let json), nil): return Payload(json, format: .json)
        case (nil, nil, .bytes(let bytes)): return Payload(bytes, format: .binary)
        default: throw WireError("not exactly one of text, json and bytes")
        }
    }

    private func isNull(_ value: FieldValue?) -> Bool {
        guard case .json(let json) = value else { return false }
        return json.elementsEqual("null".utf8)
    }

    func message() throws(WireError) -> HubMessage {
        HubMessage(
            try payload(), event: optionalText(.event), sender: optionalText(.from),
            key: optionalText(.key))
    }

    /// A name that a client may give.
    func name(_ key: FieldKey) throws(WireError) -> String {
        guard let name = try optionalName(key) else { throw WireError("\(key.name) is missing") }
        return name
    }

    func optionalName(_ key: FieldKey) throws(WireError) -> String? {
        guard let name = optionalText(key) else { return nil }
        guard name.utf8.count <= Self.nameBytesMax else {
            throw WireError(
                "\(key.name) of \(name.utf8.count) bytes exceeds \(Self.nameBytesMax)")
        }
        return name
    }

    /// A message of a client, who does not say from whom it is.
    func clientMessage() throws(WireError) -> HubMessage {
        HubMessage(
            try payload(), event: try optionalName(.event), key: try optionalName(.key))
    }
}
