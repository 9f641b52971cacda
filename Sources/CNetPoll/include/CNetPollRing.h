// io_uring(7) without a library: setting a ring up, writing submissions, taking completions.
//
// Everything returns 0 or more, or a negative errno.
#pragma once

#if defined(__linux__)
#include <errno.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/// A ring mapped into this process; used by one thread.
typedef struct {
    int fd;
    uint32_t sq_mask, sq_entries, cq_mask;
    /// The next submission's index, ahead of what the kernel was shown.
    uint32_t sq_next;
    uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    void *rings;
    size_t rings_bytes, sqes_bytes;
} cnetpoll_ring;

/// One completion: `user_data`, `res` and `flags` of io_uring_cqe.
typedef struct {
    uint64_t user_data;
    int32_t result;
    uint32_t flags;
} cnetpoll_completion;

static inline void cnetpoll_ring_close(cnetpoll_ring *ring) {
    if (ring->sqes) munmap(ring->sqes, ring->sqes_bytes);
    if (ring->rings) munmap(ring->rings, ring->rings_bytes);
    if (ring->fd >= 0) close(ring->fd);
    memset(ring, 0, sizeof *ring);
    ring->fd = -1;
}

/// io_uring_setup(2): one issuing thread, work deferred to its own calls, disabled until
/// cnetpoll_ring_enable. That thread may be another than the caller. A ring that failed to open may
/// be closed too.
static inline int cnetpoll_ring_open(cnetpoll_ring *ring, uint32_t entries, uint32_t completions) {
    struct io_uring_params params;
    memset(ring, 0, sizeof *ring);
    memset(&params, 0, sizeof params);
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED;
    params.cq_entries = completions;
    ring->fd = (int)syscall(__NR_io_uring_setup, entries, &params);
    if (ring->fd < 0) return -errno;
    uint32_t needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
    if ((params.features & needed) != needed) {
        cnetpoll_ring_close(ring);
        return -ENOSYS;
    }
    size_t sq_bytes = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
    size_t cq_bytes = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    ring->rings_bytes = sq_bytes > cq_bytes ? sq_bytes : cq_bytes;
    ring->sqes_bytes = params.sq_entries * sizeof(struct io_uring_sqe);
    char *rings = mmap(NULL, ring->rings_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                       IORING_OFF_SQ_RING);
    if (rings == MAP_FAILED) {
        int code = -errno;
        cnetpoll_ring_close(ring);
        return code;
    }
    ring->rings = rings;
    void *sqes = mmap(NULL, ring->sqes_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                      IORING_OFF_SQES);
    if (sqes == MAP_FAILED) {
        int code = -errno;
        cnetpoll_ring_close(ring);
        return code;
    }
    ring->sqes = sqes;
    ring->sq_head = (uint32_t *)(rings + params.sq_off.head);
    ring->sq_tail = (uint32_t *)(rings + params.sq_off.tail);
    ring->cq_head = (uint32_t *)(rings + params.cq_off.head);
    ring->cq_tail = (uint32_t *)(rings + params.cq_off.tail);
    ring->cqes = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
    ring->sq_mask = *(uint32_t *)(rings + params.sq_off.ring_mask);
    ring->cq_mask = *(uint32_t *)(rings + params.cq_off.ring_mask);
    ring->sq_entries = params.sq_entries;
    // Submissions are used in their own order.
    uint32_t *array = (uint32_t *)(rings + params.sq_off.array);
    for (uint32_t index = 0; index < params.sq_entries; index++) array[index] = index;
    return 0;
}

/// Makes the calling thread the one that issues.
static inline int cnetpoll_ring_enable(cnetpoll_ring *ring) {
    int result = (int)syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_ENABLE_RINGS, 0, 0);
    return result < 0 ? -errno : 0;
}

/// Gives the kernel `entries` (a power of two) places for buffers at `memory`, page-aligned.
static inline int cnetpoll_ring_provide(cnetpoll_ring *ring, void *memory, uint32_t entries) {
    struct io_uring_buf_reg request;
    memset(&request, 0, sizeof request);
    request.ring_addr = (uint64_t)(uintptr_t)memory;
    request.ring_entries = entries;
    int result =
        (int)syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_PBUF_RING, &request, 1);
    return result < 0 ? -errno : 0;
}

/// Hands one buffer to the kernel; `tail` counts all that were handed over before.
static inline void cnetpoll_ring_give(void *memory, uint16_t tail, uint32_t mask, void *buffer,
                                      uint32_t bytes, uint16_t id) {
    struct io_uring_buf *places = (struct io_uring_buf *)memory;
    struct io_uring_buf *place = &places[tail & mask];
    place->addr = (uint64_t)(uintptr_t)buffer;
    place->len = bytes;
    place->bid = id;
    // The tail lies over the first place's last field (io_uring_buf_ring).
    __atomic_store_n(&places[0].resv, (uint16_t)(tail + 1), __ATOMIC_RELEASE);
}

/// io_uring_enter(2): submits what was written; with `waits` until `wait_for` completions are there
/// or `nanoseconds` passed (negative: no limit).
static inline int cnetpoll_ring_enter(cnetpoll_ring *ring, bool waits, uint32_t wait_for,
                                      int64_t nanoseconds) {
    __atomic_store_n(ring->sq_tail, ring->sq_next, __ATOMIC_RELEASE);
    uint32_t submissions = ring->sq_next - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
    struct __kernel_timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    struct io_uring_getevents_arg argument;
    memset(&argument, 0, sizeof argument);
    if (nanoseconds >= 0) argument.ts = (uint64_t)(uintptr_t)&time;
    uint32_t flags = waits ? IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG : 0;
    long result = syscall(__NR_io_uring_enter, ring->fd, submissions, wait_for, flags,
                          waits ? &argument : NULL, waits ? sizeof argument : 0);
    return result < 0 ? -errno : (int)result;
}

/// Completions that can be taken.
static inline uint32_t cnetpoll_ring_ready(const cnetpoll_ring *ring) {
    return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) - *ring->cq_head;
}

/// Takes a completion; there must be one.
static inline cnetpoll_completion cnetpoll_ring_take(cnetpoll_ring *ring) {
    uint32_t head = *ring->cq_head;
    const struct io_uring_cqe *entry = &ring->cqes[head & ring->cq_mask];
    cnetpoll_completion completion = {entry->user_data, entry->res, entry->flags};
    __atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
    return completion;
}

static inline bool cnetpoll_ring_is_full(const cnetpoll_ring *ring) {
    return ring->sq_next - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) == ring->sq_entries;
}

/// A cleared submission; the ring must not be full.
static inline struct io_uring_sqe *cnetpoll_ring_next(cnetpoll_ring *ring, uint8_t opcode, int fd,
                                                      uint64_t user_data) {
    struct io_uring_sqe *entry = &ring->sqes[ring->sq_next++ & ring->sq_mask];
    memset(entry, 0, sizeof *entry);
    entry->opcode = opcode;
    entry->fd = fd;
    entry->user_data = user_data;
    return entry;
}

/// Accepts non-blocking connections until it is cancelled or fails.
static inline void cnetpoll_ring_accept(cnetpoll_ring *ring, int fd, uint32_t socket_flags,
                                        uint64_t user_data) {
    struct io_uring_sqe *entry = cnetpoll_ring_next(ring, IORING_OP_ACCEPT, fd, user_data);
    entry->ioprio = IORING_ACCEPT_MULTISHOT;
    entry->accept_flags = socket_flags;
}

/// Receives into provided buffers until the end, a failure, no buffer, or it is cancelled.
static inline void cnetpoll_ring_receive(cnetpoll_ring *ring, int fd, uint64_t user_data) {
    struct io_uring_sqe *entry = cnetpoll_ring_next(ring, IORING_OP_RECV, fd, user_data);
    entry->ioprio = IORING_RECV_MULTISHOT;
    entry->flags = IOSQE_BUFFER_SELECT;
}

/// Waits once for poll(2) `events`, or with `repeats` for each of them.
static inline void cnetpoll_ring_poll(cnetpoll_ring *ring, int fd, uint32_t events, bool repeats,
                                      uint64_t user_data) {
    struct io_uring_sqe *entry = cnetpoll_ring_next(ring, IORING_OP_POLL_ADD, fd, user_data);
    entry->poll32_events = events;
    entry->len = repeats ? IORING_POLL_ADD_MULTI : 0;
}

/// Cancels the submission with user data `target`; completes only where there is none.
static inline void cnetpoll_ring_cancel(cnetpoll_ring *ring, uint64_t target, uint64_t user_data) {
    struct io_uring_sqe *entry = cnetpoll_ring_next(ring, IORING_OP_ASYNC_CANCEL, -1, user_data);
    entry->addr = target;
    entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}
#endif
