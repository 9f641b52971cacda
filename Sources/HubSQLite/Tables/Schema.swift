internal import GRDB
internal import Hub

/// The tables of a store, and how those of an earlier version become today's.
///
/// Names and keys are BLOBs: they are compared by their bytes, and may have zeros. Offsets and epochs
/// are stored by their bits, times in milliseconds since 1970.
enum Schema {
    static func install(in pool: DatabasePool) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { try $0.execute(sql: version1) }
        if try pool.read({ try migrator.hasBeenSuperseded($0) }) {
            throw StoreError(.damaged, detail: "the file is of a later version")
        }
        try migrator.migrate(pool)
    }

    private static let message = """
        format INTEGER NOT NULL, payload BLOB NOT NULL, event BLOB, sender BLOB, conflation BLOB,
            bytes INTEGER NOT NULL
        """

    private static let version1 = """
        CREATE TABLE topic (
            id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, epoch INTEGER NOT NULL,
            last INTEGER NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL, age INTEGER);
        CREATE TABLE history_message (
            topic INTEGER NOT NULL, position INTEGER NOT NULL, time INTEGER NOT NULL,
            \(message),
            PRIMARY KEY (topic, position));
        CREATE TABLE history_key (
            topic INTEGER NOT NULL, name BLOB NOT NULL, position INTEGER NOT NULL,
            expiry INTEGER NOT NULL,
            PRIMARY KEY (topic, name)) WITHOUT ROWID;
        CREATE INDEX history_key_expiry ON history_key (expiry);

        CREATE TABLE inbox (
            id INTEGER PRIMARY KEY, user BLOB NOT NULL UNIQUE, messages INTEGER NOT NULL,
            bytes INTEGER NOT NULL);
        CREATE INDEX inbox_empty ON inbox (id) WHERE messages = 0;
        CREATE TABLE inbox_message (
            id INTEGER PRIMARY KEY AUTOINCREMENT, inbox INTEGER NOT NULL, time INTEGER NOT NULL,
            expiry INTEGER, attempts INTEGER NOT NULL, quarantined INTEGER NOT NULL,
            \(message));
        CREATE INDEX inbox_message_inbox ON inbox_message (inbox, quarantined, id);
        CREATE INDEX inbox_message_expiry ON inbox_message (expiry) WHERE expiry IS NOT NULL;
        CREATE TABLE inbox_key (
            inbox INTEGER NOT NULL, name BLOB NOT NULL, message INTEGER NOT NULL,
            expiry INTEGER NOT NULL,
            PRIMARY KEY (inbox, name)) WITHOUT ROWID;
        CREATE INDEX inbox_key_expiry ON inbox_key (expiry);
        """
}
