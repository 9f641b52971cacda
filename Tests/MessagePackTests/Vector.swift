import MessagePack
import Testing

/// Bytes written by hand from the tables of the MessagePack specification, and what they are.
struct Vector: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    let token: MessagePackToken
    /// Whether a writer chooses this format for it.
    let isShortest: Bool

    var testDescription: String { name }

    init(
        _ name: String, _ bytes: [UInt8], _ token: MessagePackToken, isShortest: Bool = true
    ) {
        self.name = name
        self.bytes = bytes
        self.token = token
        self.isShortest = isShortest
    }

    static let all = scalars + texts + binaries + extensions

    private static let scalars = [
        Vector("nil", [0xc0], .null),
        Vector("false", [0xc2], .bool(false)),
        Vector("true", [0xc3], .bool(true)),
        Vector("positive fixint 0", [0x00], .integer(0)),
        Vector("positive fixint 127", [0x7f], .integer(127)),
        Vector("negative fixint -1", [0xff], .integer(-1)),
        Vector("negative fixint -32", [0xe0], .integer(-32)),
        Vector("uint 8", [0xcc, 0x80], .integer(128)),
        Vector("uint 8 of a small number", [0xcc, 0x01], .integer(1), isShortest: false),
        Vector("uint 16", [0xcd, 0x01, 0x00], .integer(256)),
        Vector("uint 32", [0xce, 0x00, 0x01, 0x00, 0x00], .integer(65_536)),
        Vector("uint 64", [0xcf, 0, 0, 0, 1, 0, 0, 0, 0], .integer(4_294_967_296)),
        Vector("uint 64, the most", [0xcf] + [UInt8](repeating: 0xff, count: 8), .unsigned(.max)),
        Vector(
            "uint 64 of Int64.max", [0xcf, 0x7f] + [UInt8](repeating: 0xff, count: 7),
            .integer(.max)),
        Vector("int 8", [0xd0, 0xdf], .integer(-33)),
        Vector("int 8, the least", [0xd0, 0x80], .integer(-128)),
        Vector("int 8 above 0", [0xd0, 0x05], .integer(5), isShortest: false),
        Vector("int 16", [0xd1, 0xff, 0x7f], .integer(-129)),
        Vector("int 32", [0xd2, 0xff, 0xff, 0x7f, 0xff], .integer(-32_769)),
        Vector(
            "int 64", [0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
            .integer(-2_147_483_649)),
        Vector("int 64, the least", [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], .integer(.min)),
        Vector("float 32", [0xca, 0x3f, 0xc0, 0, 0], .float(1.5)),
        Vector("float 64", [0xcb, 0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18], .double(.pi)),
    ]

    private static let texts = [
        Vector("fixstr, empty", [0xa0], .string(1..<1)),
        Vector("fixstr", [0xa1, 0x61], .string(1..<2)),
        Vector("fixstr, the longest", [0xbf] + filled(31), .string(1..<32)),
        Vector("str 8", [0xd9, 32] + filled(32), .string(2..<34)),
        Vector("str 16", [0xda, 0x01, 0x00] + filled(256), .string(3..<259)),
        Vector("str 32", [0xdb, 0x00, 0x01, 0x00, 0x00] + filled(65_536), .string(5..<65_541)),
        Vector("str 32 of one byte", [0xdb, 0, 0, 0, 1, 0x61], .string(5..<6), isShortest: false),
    ]

    private static let binaries = [
        Vector("bin 8, empty", [0xc4, 0], .bytes(2..<2)),
        Vector("bin 8", [0xc4, 0xff] + filled(255), .bytes(2..<257)),
        Vector("bin 16", [0xc5, 0x01, 0x00] + filled(256), .bytes(3..<259)),
        Vector("bin 32", [0xc6, 0x00, 0x01, 0x00, 0x00] + filled(65_536), .bytes(5..<65_541)),
    ]

    private static let extensions = [
        Vector("fixext 1", [0xd4, 5, 0x10], .ext(type: 5, 2..<3)),
        Vector("fixext 2", [0xd5, 5, 0x10, 0x20], .ext(type: 5, 2..<4)),
        Vector("fixext 4", [0xd6, 0xff] + filled(4), .ext(type: -1, 2..<6)),
        Vector("fixext 8", [0xd7, 0x80] + filled(8), .ext(type: -128, 2..<10)),
        Vector("fixext 16", [0xd8, 0x7f] + filled(16), .ext(type: 127, 2..<18)),
        Vector("ext 8, empty", [0xc7, 0, 5], .ext(type: 5, 3..<3)),
        Vector("ext 8", [0xc7, 3, 5] + filled(3), .ext(type: 5, 3..<6)),
        Vector("ext 16", [0xc8, 0x01, 0x00, 5] + filled(256), .ext(type: 5, 4..<260)),
        Vector(
            "ext 32", [0xc9, 0x00, 0x01, 0x00, 0x00, 5] + filled(65_536),
            .ext(type: 5, 6..<65_542)),
    ]

    private static func filled(_ count: Int) -> [UInt8] { .init(repeating: 0x61, count: count) }
}
