#include "sha1.h"

#include <string.h>

static inline uint32_t rotated(uint32_t word, int count) {
    return word << count | word >> (32 - count);
}

// One round; the caller renames the five working words instead of moving them (FIPS 180-4 §6.1.2, step 3).
#define ROUND(a, b, c, d, e, mixed, constant, word)            \
    do {                                                       \
        e += rotated(a, 5) + (mixed) + (constant) + (word);    \
        b = rotated(b, 30);                                    \
    } while (0)

#define FIVE(first, mix, constant)                                               \
    do {                                                                         \
        ROUND(a, b, c, d, e, mix(b, c, d), constant, words[(first)]);            \
        ROUND(e, a, b, c, d, mix(a, b, c), constant, words[(first) + 1]);        \
        ROUND(d, e, a, b, c, mix(e, a, b), constant, words[(first) + 2]);        \
        ROUND(c, d, e, a, b, mix(d, e, a), constant, words[(first) + 3]);        \
        ROUND(b, c, d, e, a, mix(c, d, e), constant, words[(first) + 4]);        \
    } while (0)

#define CHOICE(x, y, z) (z ^ (x & (y ^ z)))
#define PARITY(x, y, z) (x ^ y ^ z)
#define MAJORITY(x, y, z) ((x & y) | (z & (x | y)))

void cwsframe_sha1_mix(uint32_t *state, const uint8_t *block) {
    if (cwsframe_has_sha1())
        cwsframe_sha1_mix_x86(state, block);
    else
        cwsframe_sha1_mix_portable(state, block);
}

void cwsframe_sha1_mix_portable(uint32_t *state, const uint8_t *block) {
    uint32_t words[80];
    for (int index = 0; index < 16; index++) {
        uint32_t word;
        memcpy(&word, block + index * 4, 4);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        word = __builtin_bswap32(word);
#endif
        words[index] = word;
    }
    for (int index = 16; index < 80; index++)
        words[index] =
            rotated(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int first = 0; first < 20; first += 5) FIVE(first, CHOICE, 0x5A827999u);
    for (int first = 20; first < 40; first += 5) FIVE(first, PARITY, 0x6ED9EBA1u);
    for (int first = 40; first < 60; first += 5) FIVE(first, MAJORITY, 0x8F1BBCDCu);
    for (int first = 60; first < 80; first += 5) FIVE(first, PARITY, 0xCA62C1D6u);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}
