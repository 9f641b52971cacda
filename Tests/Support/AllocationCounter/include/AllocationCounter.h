// Counts what threads allocate: malloc and its relatives are interposed in the test executable.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether allocations are counted: with glibc, and not under a sanitizer, which interposes malloc
/// itself.
bool allocation_counter_is_active(void);

/// How often the calling thread has allocated or reallocated so far.
uint64_t allocation_counter_count(void);

/// Begins or ends to count what all threads of the process allocate, too.
void allocation_counter_watch_all(bool watches);

/// How often any thread has allocated or reallocated while all were watched.
uint64_t allocation_counter_total(void);

/// How many bytes malloc set aside for what lies at `memory`; 0 where they are not counted.
size_t allocation_counter_bytes(void *memory);
