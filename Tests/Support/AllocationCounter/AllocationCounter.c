#include "AllocationCounter.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

#if defined(__GLIBC__) && !defined(UNDER_SANITIZER)

#include <malloc.h>
#include <stdatomic.h>

// Initial-exec, so that reading the counter never allocates itself.
static _Thread_local uint64_t count __attribute__((tls_model("initial-exec")));

static _Atomic bool watches_all;
static _Atomic uint64_t total;

static inline void note(void) {
    count += 1;
    if (atomic_load_explicit(&watches_all, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
    }
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

bool allocation_counter_is_active(void) { return true; }
uint64_t allocation_counter_count(void) { return count; }
void allocation_counter_watch_all(bool watches) { watches_all = watches; }
uint64_t allocation_counter_total(void) { return total; }
size_t allocation_counter_bytes(void *memory) { return malloc_usable_size(memory); }

void *malloc(size_t size) {
    note();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    note();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    note();
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    note();
    void *allocated = __libc_memalign(alignment, size);
    if (allocated == NULL) return ENOMEM;
    *memory = allocated;
    return 0;
}

#else

bool allocation_counter_is_active(void) { return false; }
uint64_t allocation_counter_count(void) { return 0; }
void allocation_counter_watch_all(bool watches) { (void)watches; }
uint64_t allocation_counter_total(void) { return 0; }

size_t allocation_counter_bytes(void *memory) {
    (void)memory;
    return 0;
}

#endif
