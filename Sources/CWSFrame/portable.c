#include "CWSFrame.h"

// For machines whose only level is the portable one: present for the linker, never called.
#if !defined(__x86_64__) && !(defined(__aarch64__) && defined(__ARM_NEON))
bool cwsframe_is_utf8(cwsframe_level level, const uint8_t *bytes, size_t count) {
    (void)level, (void)bytes, (void)count;
    __builtin_trap();
}
#endif
#if !defined(__x86_64__)
uint64_t cwsframe_mask_256(const uint8_t *source, uint8_t *target, size_t count, uint64_t key) {
    (void)source, (void)target, (void)count, (void)key;
    __builtin_trap();
}
#endif
