/// What a token's first bytes say, with nothing of its body.
struct TokenHead {
    enum Kind {
        case scalar(MessagePackToken)
        case string(Int)
        case bytes(Int)
        case ext(Int8, Int)
        case array(Int)
        case map(Int)
        case reserved
    }

    let kind: Kind
    let byteCount: Int

    /// Reads the head at `start`.
    ///
    /// - Returns: The head, or `nil` and how many bytes are missing of it.
    static func read(
        _ input: UnsafeRawBufferPointer, at start: Int
    ) -> (head: TokenHead?, missing: Int) {
        guard start < input.count else { return (nil, 1) }
        let format = input[start]
        let byteCount = 1 + fieldBytes(of: format)
        guard byteCount <= input.count - start else {
            return (nil, byteCount - (input.count - start))
        }
        let fields = UnsafeRawBufferPointer(rebasing: input[(start + 1)..<(start + byteCount)])
        return (TokenHead(kind: kind(of: format, fields), byteCount: byteCount), 0)
    }

    /// The token, where its body begins at `body`.
    func token(at body: Int) -> MessagePackToken {
        switch kind {
        case .scalar(let token): token
        case .string(let length): .string(body..<body + length)
        case .bytes(let length): .bytes(body..<body + length)
        case .ext(let type, let length): .ext(type: type, body..<body + length)
        case .array(let count): .array(count: count)
        case .map(let count): .map(count: count)
        case .reserved: preconditionFailure("a token of the reserved format")
        }
    }

    /// How many bytes of numbers stand after the first one.
    private static func fieldBytes(of format: UInt8) -> Int {
        switch format {
        case MessagePackFormat.bin8, MessagePackFormat.string8, MessagePackFormat.uint8,
            MessagePackFormat.int8, MessagePackFormat.fixExt1...MessagePackFormat.fixExt16:
            1
        case MessagePackFormat.bin16, MessagePackFormat.string16, MessagePackFormat.array16,
            MessagePackFormat.map16, MessagePackFormat.uint16, MessagePackFormat.int16,
            MessagePackFormat.ext8:
            2
        case MessagePackFormat.ext16: 3
        case MessagePackFormat.bin32, MessagePackFormat.string32, MessagePackFormat.array32,
            MessagePackFormat.map32, MessagePackFormat.uint32, MessagePackFormat.int32,
            MessagePackFormat.float32:
            4
        case MessagePackFormat.ext32: 5
        case MessagePackFormat.uint64, MessagePackFormat.int64, MessagePackFormat.float64: 8
        default: 0
        }
    }

    private static func kind(of format: UInt8, _ fields: UnsafeRawBufferPointer) -> Kind {
        switch format {
        case 0..<MessagePackFormat.fixMap: .scalar(.integer(Int64(format)))
        case MessagePackFormat.fixMap..<MessagePackFormat.fixArray: .map(Int(format & 15))
        case MessagePackFormat.fixArray..<MessagePackFormat.fixString: .array(Int(format & 15))
        case MessagePackFormat.fixString..<MessagePackFormat.null: .string(Int(format & 31))
        case MessagePackFormat.null: .scalar(.null)
        case MessagePackFormat.reserved: .reserved
        case MessagePackFormat.isFalse: .scalar(.bool(false))
        case MessagePackFormat.isTrue: .scalar(.bool(true))
        case MessagePackFormat.bin8: .bytes(Int(fields[0]))
        case MessagePackFormat.bin16: .bytes(Int(load(fields, as: UInt16.self)))
        case MessagePackFormat.bin32: .bytes(Int(load(fields, as: UInt32.self)))
        case MessagePackFormat.string8: .string(Int(fields[0]))
        case MessagePackFormat.string16: .string(Int(load(fields, as: UInt16.self)))
        case MessagePackFormat.string32: .string(Int(load(fields, as: UInt32.self)))
        case MessagePackFormat.array16: .array(Int(load(fields, as: UInt16.self)))
        case MessagePackFormat.array32: .array(Int(load(fields, as: UInt32.self)))
        case MessagePackFormat.map16: .map(Int(load(fields, as: UInt16.self)))
        case MessagePackFormat.map32: .map(Int(load(fields, as: UInt32.self)))
        case MessagePackFormat.ext8, MessagePackFormat.ext16, MessagePackFormat.ext32,
            MessagePackFormat.fixExt1...MessagePackFormat.fixExt16:
            ext(format, fields)
        case MessagePackFormat.float32:
            .scalar(.float(Float(bitPattern: load(fields, as: UInt32.self))))
        case MessagePackFormat.float64:
            .scalar(.double(Double(bitPattern: load(fields, as: UInt64.self))))
        case MessagePackFormat.negativeFixInt...:
            .scalar(.integer(Int64(Int8(bitPattern: format))))
        default: .scalar(integer(format, fields))
        }
    }

    private static func ext(_ format: UInt8, _ fields: UnsafeRawBufferPointer) -> Kind {
        // The type is the last field, after the length.
        let type = Int8(bitPattern: fields[fields.count - 1])
        return switch format {
        case MessagePackFormat.ext8: .ext(type, Int(fields[0]))
        case MessagePackFormat.ext16: .ext(type, Int(load(fields, as: UInt16.self)))
        case MessagePackFormat.ext32: .ext(type, Int(load(fields, as: UInt32.self)))
        default: .ext(type, 1 << Int(format - MessagePackFormat.fixExt1))
        }
    }

    private static func integer(
        _ format: UInt8, _ fields: UnsafeRawBufferPointer
    ) -> MessagePackToken {
        switch format {
        case MessagePackFormat.uint8: .integer(Int64(fields[0]))
        case MessagePackFormat.uint16: .integer(Int64(load(fields, as: UInt16.self)))
        case MessagePackFormat.uint32: .integer(Int64(load(fields, as: UInt32.self)))
        case MessagePackFormat.uint64:
            Int64(exactly: load(fields, as: UInt64.self)).map { .integer($0) }
                ?? .unsigned(load(fields, as: UInt64.self))
        case MessagePackFormat.int8: .integer(Int64(Int8(bitPattern: fields[0])))
        case MessagePackFormat.int16: .integer(Int64(load(fields, as: Int16.self)))
        case MessagePackFormat.int32: .integer(Int64(load(fields, as: Int32.self)))
        case MessagePackFormat.int64: .integer(load(fields, as: Int64.self))
        default: preconditionFailure("format \(format) is no integer")
        }
    }

    private static func load<Number: FixedWidthInteger & BitwiseCopyable>(
        _ fields: UnsafeRawBufferPointer, as type: Number.Type
    ) -> Number {
        Number(bigEndian: fields.loadUnaligned(as: type))
    }
}
