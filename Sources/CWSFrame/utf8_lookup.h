// UTF-8 validation by table lookup (Keiser and Lemire, Validating UTF-8 in less than one instruction per byte, 2021),
// over whatever vector the including file defines:
//
//   VECTOR           the type, VECTOR_BYTES wide
//   LOAD(p)          from any address
//   SPLAT(b)         one byte everywhere
//   TABLE(p)         a table of 16 bytes, as LOOKUP wants it
//   LOOKUP(t, v)     t[v[i]] for v[i] < 16
//   HIGH_NIBBLE(v)   v[i] >> 4
//   LOW_NIBBLE(v)    v[i] & 15
//   MINUS(a, b)      a[i] - b[i], not below 0
//   AND, OR, XOR
//   AFTER(v, n)      v moved up by n bytes, zeros before it
//   HAS_HIGH_BIT(v)  whether any byte is 0x80 or more
//   IS_ZERO(v)       whether every byte is 0
//   NAME             of the function
//   TARGET           its attributes
//
//
// Every two neighbouring bytes are judged by three nibbles: both of the first byte and the high one of the second. Each
// nibble looks up a set of the mistakes it could be part of; what is in all three sets is a mistake. One bit is none:
// two continuations in a row, which is right exactly where a lead of three or four bytes stands two or three before.
//
// Included once per vector; it undefines what it was given.

#include "utf8_tables.h"

#define MISTAKES(bytes, before1, before2, before3)                                                        \
    XOR(AND(AND(LOOKUP(first_high_table, HIGH_NIBBLE(before1)), LOOKUP(first_low_table, LOW_NIBBLE(before1))), \
            LOOKUP(second_high_table, HIGH_NIBBLE(bytes))),                                               \
        AND(OR(MINUS(before2, SPLAT(0xE0 - 0x80)), MINUS(before3, SPLAT(0xF0 - 0x80))), SPLAT(0x80)))

// The three bytes before a vector are loaded, not carried over: a load costs less than the shuffles would, and the last
// vector may overlap the one before it.
#define MISTAKES_AT(p) MISTAKES(LOAD(p), LOAD((p) - 1), LOAD((p) - 2), LOAD((p) - 3))

TARGET static bool NAME(const uint8_t *bytes, size_t count) {
    // Most text is ASCII to its end, or for long at its begin.
    const uint8_t *const begin = bytes;
    const uint8_t *const end = bytes + count;
    while (end - bytes >= 4 * VECTOR_BYTES &&
           !HAS_HIGH_BIT(OR(OR(LOAD(bytes), LOAD(bytes + VECTOR_BYTES)),
                            OR(LOAD(bytes + 2 * VECTOR_BYTES), LOAD(bytes + 3 * VECTOR_BYTES))))) {
        bytes += 4 * VECTOR_BYTES;
    }
    // A whole vector is left to judge: some of what was passed comes again.
    if (bytes > begin && end - bytes < VECTOR_BYTES) bytes = end - VECTOR_BYTES;
    count = (size_t)(end - bytes);
    const VECTOR first_high_table = TABLE(first_high);
    const VECTOR first_low_table = TABLE(first_low);
    const VECTOR second_high_table = TABLE(second_high);
    const uint8_t *const last = bytes + count - VECTOR_BYTES;
    const uint8_t *at = bytes + VECTOR_BYTES;
    const VECTOR head = LOAD(bytes);
    VECTOR wrong = SPLAT(0);
    if (HAS_HIGH_BIT(head)) wrong = MISTAKES(head, AFTER(head, 1), AFTER(head, 2), AFTER(head, 3));
    while (at + 3 * VECTOR_BYTES <= last) {
        const VECTOR a = LOAD(at), b = LOAD(at + VECTOR_BYTES);
        const VECTOR c = LOAD(at + 2 * VECTOR_BYTES), d = LOAD(at + 3 * VECTOR_BYTES);
        if (!HAS_HIGH_BIT(OR(OR(a, b), OR(c, d)))) {
            // Nothing but ASCII here: only a sequence that goes on from before can be wrong.
            if ((at[-1] | at[-2] | at[-3]) & 0x80) wrong = OR(wrong, MISTAKES_AT(at));
            if (!IS_ZERO(wrong)) return false;
            at += 4 * VECTOR_BYTES;
            continue;
        }
        const VECTOR ab = OR(MISTAKES_AT(at), MISTAKES_AT(at + VECTOR_BYTES));
        const VECTOR cd = OR(MISTAKES_AT(at + 2 * VECTOR_BYTES), MISTAKES_AT(at + 3 * VECTOR_BYTES));
        wrong = OR(wrong, OR(ab, cd));
        if (!IS_ZERO(wrong)) return false;
        at += 4 * VECTOR_BYTES;
    }
    while (at < last) {
        if (HAS_HIGH_BIT(OR(LOAD(at), LOAD(at - 3)))) wrong = OR(wrong, MISTAKES_AT(at));
        at += VECTOR_BYTES;
    }
    if (last >= bytes + 3) {
        // Judges some bytes twice where the count is no multiple.
        if (HAS_HIGH_BIT(OR(LOAD(last), LOAD(last - 3)))) wrong = OR(wrong, MISTAKES_AT(last));
    } else if (last > bytes) {
        // One or two bytes more than a vector: too few before the last one to load.
        uint8_t padded[VECTOR_BYTES + 5] = {0};
        __builtin_memcpy(padded + 3, bytes, count);
        wrong = OR(wrong, MISTAKES_AT(padded + 3 + (last - bytes)));
    }
    return IS_ZERO(wrong);
}

#undef MISTAKES
#undef MISTAKES_AT
#undef VECTOR
#undef VECTOR_BYTES
#undef LOAD
#undef SPLAT
#undef TABLE
#undef LOOKUP
#undef HIGH_NIBBLE
#undef LOW_NIBBLE
#undef MINUS
#undef AND
#undef OR
#undef XOR
#undef AFTER
#undef HAS_HIGH_BIT
#undef IS_ZERO
#undef NAME
#undef TARGET
