#include "CWSFrame.h"

#include <sys/mman.h>
#include <unistd.h>

size_t cwsframe_page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *cwsframe_pages_reserve(size_t bytes) {
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return NULL;
#if defined(MADV_NOHUGEPAGE)
    // Where the system makes huge pages unasked, one would bring back what was discarded beside it.
    madvise(pages, bytes, MADV_NOHUGEPAGE);
#endif
    return pages;
}

void cwsframe_pages_discard(void *pages, size_t bytes) {
    // Where it is refused, for example because the process locked its memory, the pages just stay.
#if defined(__APPLE__)
    madvise(pages, bytes, MADV_FREE);
#else
    madvise(pages, bytes, MADV_DONTNEED);
#endif
}

void cwsframe_pages_release(void *pages, size_t bytes) {
    munmap(pages, bytes);
}
