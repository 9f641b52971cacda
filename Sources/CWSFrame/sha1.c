#include "CWSFrame.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

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

#if defined(__x86_64__)
static bool has_sha1(void) {
    // Asked once: a virtual machine's host answers cpuid, which takes it longer than a handshake.
    static int known;
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (answer == 0) {
        unsigned a, b, c, d;
        const bool has = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1)
            && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
        answer = has ? 2 : 1;
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer == 2;
}

// Four rounds: `e` has the fifth working word of before, and takes the first of now for the next four.
#define ROUNDS(group, words, kind)                                       \
    do {                                                                 \
        const __m128i mixed =                                            \
            (group) == 0 ? _mm_add_epi32(e, words) : _mm_sha1nexte_epu32(e, words); \
        e = abcd;                                                        \
        abcd = _mm_sha1rnds4_epu32(abcd, mixed, kind);                   \
    } while (0)

// The words of the fourth group from `first` on (FIPS 180-4 §6.1.2, step 1).
#define SCHEDULE(first, second, third, fourth) \
    first = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(first, second), third), fourth)

// Sixteen rounds and the words of the next sixteen.
#define SIXTEEN(group, k0, k1, k2, k3) \
    do {                               \
        ROUNDS(group, w0, k0);         \
        SCHEDULE(w0, w1, w2, w3);      \
        ROUNDS((group) + 1, w1, k1);   \
        SCHEDULE(w1, w2, w3, w0);      \
        ROUNDS((group) + 2, w2, k2);   \
        SCHEDULE(w2, w3, w0, w1);      \
        ROUNDS((group) + 3, w3, k3);   \
        SCHEDULE(w3, w0, w1, w2);      \
    } while (0)

#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))

__attribute__((target("sha,ssse3,sse4.1"))) static void mix_x86(
    uint32_t *state, const uint8_t *block
) {
    const __m128i swapped = _mm_set_epi64x(0x0001020304050607, 0x08090A0B0C0D0E0F);
    __m128i w0 = _mm_shuffle_epi8(LOAD(block), swapped);
    __m128i w1 = _mm_shuffle_epi8(LOAD(block + 16), swapped);
    __m128i w2 = _mm_shuffle_epi8(LOAD(block + 32), swapped);
    __m128i w3 = _mm_shuffle_epi8(LOAD(block + 48), swapped);
    const __m128i abcd_before = _mm_shuffle_epi32(LOAD(state), 0x1B);
    const __m128i e_before = _mm_set_epi32((int)state[4], 0, 0, 0);
    __m128i abcd = abcd_before, e = e_before;
    SIXTEEN(0, 0, 0, 0, 0);
    SIXTEEN(4, 0, 1, 1, 1);
    SIXTEEN(8, 1, 1, 2, 2);
    SIXTEEN(12, 2, 2, 2, 3);
    ROUNDS(16, w0, 3);
    ROUNDS(17, w1, 3);
    ROUNDS(18, w2, 3);
    ROUNDS(19, w3, 3);
    abcd = _mm_shuffle_epi32(_mm_add_epi32(abcd, abcd_before), 0x1B);
    _mm_storeu_si128((__m128i *)(void *)state, abcd);
    state[4] = (uint32_t)_mm_extract_epi32(_mm_sha1nexte_epu32(e, e_before), 3);
}
#endif

void cwsframe_sha1_mix(uint32_t *state, const uint8_t *block) {
#if defined(__x86_64__)
    if (has_sha1()) {
        mix_x86(state, block);
        return;
    }
#endif
    cwsframe_sha1_mix_portable(state, block);
}
