// Shows the thread sanitizer how a contended Synchronization.Mutex is handed over.
//
// The mutex's fast paths are inlined into instrumented code, where the sanitizer sees their atomics.
// Its slow paths lie in libswiftSynchronization.so, which is not instrumented: a thread that had to
// wait seems to take the mutex without synchronising with the one that gave it up, and what the
// mutex guards is reported as a race. This library, preloaded, stands before the slow paths and
// annotates them at the mutex's own address. In processes without the sanitizer it does nothing.
//
// The functions are Swift methods: arguments as in C, `self` in the context register.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SELF __attribute__((swift_context)) void *self
#define SWIFT __attribute__((swiftcall))

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

static void (*acquire)(void *);
static void (*release)(void *);

__attribute__((constructor)) static void find_sanitizer(void) {
    acquire = (void (*)(void *))dlsym(RTLD_DEFAULT, "__tsan_acquire");
    release = (void (*)(void *))dlsym(RTLD_DEFAULT, "__tsan_release");
}

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "tsan-mutex: no %s; Synchronization.Mutex has changed\n", name);
        abort();
    }
    return found;
}

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void lock_slow(uint32_t thread, SELF) {
    ((SWIFT void (*)(uint32_t, SELF))next(LOCK))(thread, self);
    if (acquire) acquire(self);
}

SWIFT bool try_lock_slow(SELF) __asm__(TRY_LOCK);
SWIFT bool try_lock_slow(SELF) {
    bool taken = ((SWIFT bool (*)(SELF))next(TRY_LOCK))(self);
    if (taken && acquire) acquire(self);
    return taken;
}

SWIFT void unlock_slow(SELF) __asm__(UNLOCK);
SWIFT void unlock_slow(SELF) {
    if (release) release(self);
    ((SWIFT void (*)(SELF))next(UNLOCK))(self);
}
