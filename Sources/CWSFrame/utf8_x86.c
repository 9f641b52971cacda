#include "CWSFrame.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("ssse3")))
#define NAME is_utf8_128
#define VECTOR __m128i
#define VECTOR_BYTES 16
#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define SPLAT(b) _mm_set1_epi8((char)(b))
#define TABLE(p) LOAD(p)
#define LOOKUP(t, v) _mm_shuffle_epi8(t, v)
#define HIGH_NIBBLE(v) _mm_and_si128(_mm_srli_epi16(v, 4), SPLAT(0x0F))
#define LOW_NIBBLE(v) _mm_and_si128(v, SPLAT(0x0F))
#define MINUS(a, b) _mm_subs_epu8(a, b)
#define AND(a, b) _mm_and_si128(a, b)
#define OR(a, b) _mm_or_si128(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)
#define AFTER(v, n) _mm_slli_si128(v, n)
#define HAS_HIGH_BIT(v) (_mm_movemask_epi8(v) != 0)
#define IS_ZERO(v) (_mm_movemask_epi8(_mm_cmpeq_epi8(v, SPLAT(0))) == 0xFFFF)
#include "utf8_lookup.h"

#define TARGET __attribute__((target("avx2")))
#define NAME is_utf8_256
#define VECTOR __m256i
#define VECTOR_BYTES 32
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define SPLAT(b) _mm256_set1_epi8((char)(b))
#define TABLE(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define LOOKUP(t, v) _mm256_shuffle_epi8(t, v)
#define HIGH_NIBBLE(v) _mm256_and_si256(_mm256_srli_epi16(v, 4), SPLAT(0x0F))
#define LOW_NIBBLE(v) _mm256_and_si256(v, SPLAT(0x0F))
#define MINUS(a, b) _mm256_subs_epu8(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define OR(a, b) _mm256_or_si256(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define AFTER(v, n) _mm256_alignr_epi8(v, _mm256_permute2x128_si256(v, v, 0x08), 16 - (n))
#define HAS_HIGH_BIT(v) (_mm256_movemask_epi8(v) != 0)
#define IS_ZERO(v) _mm256_testz_si256(v, v)
#include "utf8_lookup.h"

bool cwsframe_is_utf8(cwsframe_level level, const uint8_t *bytes, size_t count) {
    return level == cwsframe_level_bits256 && count >= 32 ? is_utf8_256(bytes, count)
                                                      : is_utf8_128(bytes, count);
}
#endif
