#include "CWSFrame.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#define TARGET
#define NAME is_utf8_128
#define VECTOR uint8x16_t
#define VECTOR_BYTES 16
#define LOAD(p) vld1q_u8(p)
#define SPLAT(b) vdupq_n_u8(b)
#define TABLE(p) vld1q_u8(p)
#define LOOKUP(t, v) vqtbl1q_u8(t, v)
#define HIGH_NIBBLE(v) vshrq_n_u8(v, 4)
#define LOW_NIBBLE(v) vandq_u8(v, SPLAT(0x0F))
#define MINUS(a, b) vqsubq_u8(a, b)
#define AND(a, b) vandq_u8(a, b)
#define OR(a, b) vorrq_u8(a, b)
#define XOR(a, b) veorq_u8(a, b)
#define AFTER(v, n) vextq_u8(SPLAT(0), v, 16 - (n))
#define HAS_HIGH_BIT(v) (vmaxvq_u8(v) >= 0x80)
#define IS_ZERO(v) (vmaxvq_u8(v) == 0)
#include "utf8_lookup.h"

bool cwsframe_is_utf8(cwsframe_level level, const uint8_t *bytes, size_t count) {
    (void)level;
    return is_utf8_128(bytes, count);
}
#endif
