// Loops that Swift cannot express or is slower at: table lookups within a vector, vectors wider than the baseline of
// the build, chosen when the program runs, and the rounds of SHA-1.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The vector units that these functions know. Every level of a machine implies those below it.
typedef enum __attribute__((enum_extensibility(closed))) {
    /// None: the callers' own loops.
    cwsframe_level_portable = 0,
    /// 16 bytes: SSSE3 or NEON.
    cwsframe_level_bits128 = 1,
    /// 32 bytes: AVX2.
    cwsframe_level_bits256 = 2,
} cwsframe_level;

/// The highest level of this machine.
static inline cwsframe_level cwsframe_best_level(void) {
#if defined(__x86_64__)
    // Both read one word that the C library filled in when the program started.
    if (__builtin_cpu_supports("avx2")) return cwsframe_level_bits256;
    if (__builtin_cpu_supports("ssse3")) return cwsframe_level_bits128;
    return cwsframe_level_portable;
#elif defined(__aarch64__) && defined(__ARM_NEON)
    return cwsframe_level_bits128;
#else
    return cwsframe_level_portable;
#endif
}

/// The fewest bytes that `cwsframe_is_utf8` takes.
#define CWSFRAME_UTF8_BYTES_MIN 16

/// Whether `count` bytes, at least CWSFRAME_UTF8_BYTES_MIN, are UTF-8 (RFC 3629).
///
/// A sequence that the end cuts passes: the caller looks at the last three bytes itself. `level` must be one of this
/// machine and not the portable one.
bool cwsframe_is_utf8(cwsframe_level level, const uint8_t *bytes, size_t count);

/// The fewest bytes that `cwsframe_mask_256` takes.
#define CWSFRAME_MASK_BYTES_MIN 64

/// Writes `source` XOR `key` to `target`, 32 bytes at a time; `count` is at least CWSFRAME_MASK_BYTES_MIN.
///
/// The two may be the same memory, but must not overlap otherwise. Only for machines of `cwsframe_level_bits256`; does
/// nothing elsewhere. Returns all words written, ORed.
uint64_t cwsframe_mask_256(const uint8_t *source, uint8_t *target, size_t count, uint64_t key);

/// Mixes one block of 64 bytes into the five words of SHA-1 (FIPS 180-4 §6.1.2), by the instructions that x86-64
/// processors have for it, where they do.
void cwsframe_sha1_mix(uint32_t *state, const uint8_t *block);

/// The same without them.
void cwsframe_sha1_mix_portable(uint32_t *state, const uint8_t *block);

/// What was last published at `slot`, with all that was written before it.
static inline void *cwsframe_published(void *const *slot) {
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

/// Publishes `fresh` at `slot` if `expected` is still there; whether it was.
static inline bool cwsframe_publish(void **slot, void *expected, void *fresh) {
    return __atomic_compare_exchange_n(slot, &expected, fresh, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/// The bytes of a page of memory.
size_t cwsframe_page_bytes(void);

/// Whole pages of zeros, to which the system gives memory when they are first touched; NULL where it has none.
void *cwsframe_pages_reserve(size_t bytes);

/// Gives the memory of pages back to the system; they may be used again, and hold anything until they are written.
void cwsframe_pages_discard(void *pages, size_t bytes);

/// Ends what `cwsframe_pages_reserve` gave.
void cwsframe_pages_release(void *pages, size_t bytes);
