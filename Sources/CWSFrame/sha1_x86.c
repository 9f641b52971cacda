#include "sha1.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

bool cwsframe_has_sha1(void) {
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

__attribute__((target("sha,ssse3,sse4.1"))) void cwsframe_sha1_mix_x86(
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
#else
bool cwsframe_has_sha1(void) { return false; }

void cwsframe_sha1_mix_x86(uint32_t *state, const uint8_t *block) {
    (void)state, (void)block;
    __builtin_trap();
}
#endif
