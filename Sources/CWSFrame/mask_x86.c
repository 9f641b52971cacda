#include "CWSFrame.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)

__attribute__((target("avx2"))) uint64_t cwsframe_mask_256(
    const uint8_t *source, uint8_t *target, size_t count, uint64_t key
) {
    // The first and the last vector lie over the ends of the loop's. All three read before anything is written there:
    // in place, a byte must not be masked twice.
    const size_t skipped = -(uintptr_t)target & 31;
    const size_t tail = count - 32;
    const unsigned turn = 8 * (skipped & 3), tail_turn = 8 * (count & 3);
    const uint64_t key_inside = turn ? key >> turn | key << (64 - turn) : key;
    const uint64_t key_at_tail = tail_turn ? key >> tail_turn | key << (64 - tail_turn) : key;
    const __m256i keys = _mm256_set1_epi64x((long long)key_inside);
    const __m256i first = _mm256_xor_si256(LOAD(source), _mm256_set1_epi64x((long long)key));
    const __m256i last =
        _mm256_xor_si256(LOAD(source + tail), _mm256_set1_epi64x((long long)key_at_tail));
    __m256i seen = _mm256_or_si256(first, last);
    // From here on the writes are aligned, and in place the reads too.
    size_t at = skipped;
    for (; at + 128 <= count; at += 128) {
        const __m256i a = _mm256_xor_si256(LOAD(source + at), keys);
        const __m256i b = _mm256_xor_si256(LOAD(source + at + 32), keys);
        const __m256i c = _mm256_xor_si256(LOAD(source + at + 64), keys);
        const __m256i d = _mm256_xor_si256(LOAD(source + at + 96), keys);
        STORE(target + at, a);
        STORE(target + at + 32, b);
        STORE(target + at + 64, c);
        STORE(target + at + 96, d);
        seen = _mm256_or_si256(
            seen, _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d)));
    }
    for (; at < tail; at += 32) {
        const __m256i a = _mm256_xor_si256(LOAD(source + at), keys);
        STORE(target + at, a);
        seen = _mm256_or_si256(seen, a);
    }
    STORE(target, first);
    STORE(target + tail, last);
    const __m128i half =
        _mm_or_si128(_mm256_castsi256_si128(seen), _mm256_extracti128_si256(seen, 1));
    return (uint64_t)_mm_extract_epi64(half, 0) | (uint64_t)_mm_extract_epi64(half, 1);
}
#endif
