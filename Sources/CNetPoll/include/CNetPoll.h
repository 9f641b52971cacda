// System calls and macros that Swift's overlays of the C library do not import, and what is done in one
// call on Linux and in several on Darwin, where none of it was ever compiled.
//
// Feature macros such as _GNU_SOURCE stay undefined here: they would change the C library's types
// against those of the Glibc overlay.
#pragma once

#include "CNetPollRing.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/// Makes the pipe by which caught signals are told; 0, or -1 with errno. To be called once, before
/// the functions below.
int cnetpoll_signals_open(void);

/// Catches a signal from 1 to 63 (sigaction(2)); 0, or -1 with errno.
int cnetpoll_signals_catch(int number);

/// Gives a signal its default action back.
void cnetpoll_signals_default(int number);

/// Waits until signals were caught; returns a bit for the number of each.
uint64_t cnetpoll_signals_wait(void);

/// Brings memory into the cache that will be written soon.
static inline void cnetpoll_prefetch(const void *memory) {
    __builtin_prefetch(memory, 1);
}

/// Opens a socket, non-blocking and close-on-exec from the start; -1 with errno. On Darwin it is made
/// so afterwards, and raises no SIGPIPE.
int cnetpoll_socket(int family, int kind);

/// sendfile(2) from an offset; the file's own position stays as it is, and a peer that is gone raises no
/// SIGPIPE.
long cnetpoll_sendfile(int socket, int file, int64_t offset, unsigned long count);

/// recvmmsg(2) without waiting; `messages` are struct mmsghdr, whose header would take the socket
/// types away from the Glibc overlay's module. On Darwin a call for each message.
int cnetpoll_recvmmsg(int fd, void *messages, unsigned count);

/// sendmmsg(2) without waiting; on Darwin a call for each message.
int cnetpoll_sendmmsg(int fd, void *messages, unsigned count);

/// Passes a descriptor with one byte over a Unix socket (SCM_RIGHTS, unix(7)); 1, or -1 with errno.
int cnetpoll_send_descriptor(int socket, int descriptor, uint8_t mark);

/// recvmsg(2) with descriptors, of which at most `most` are stored, and counted in `count`.
long cnetpoll_receive_descriptors(
    int socket, void *buffer, unsigned long bytes, int *descriptors, int most, int *count);

/// Where a datagram arrived; `family` is 0 where the kernel did not say. Addresses are in network
/// order.
struct cnetpoll_arrival {
    int family;
    uint32_t interface;
    uint32_t v4;
    uint64_t v6_high;
    uint64_t v6_low;
};

/// Reads a datagram's packet information (ip(7), ipv6(7)) from its struct msghdr.
void cnetpoll_packet_info(void *header, struct cnetpoll_arrival *arrival);

/// An identifier of the calling thread; never zero.
static inline uint64_t cnetpoll_thread_id(void) {
    return (uint64_t)(uintptr_t)pthread_self();
}

#if defined(__linux__)
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/// How many processors the calling thread may run on, of the first 65,536 (sched_getaffinity(2)); 0 where
/// that is not told.
static inline int cnetpoll_usable_processors(void) {
    unsigned long mask[65536 / (8 * sizeof(unsigned long))];
    long words = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask) / (long)sizeof(unsigned long);
    int count = 0;
    for (long index = 0; index < words; index++) count += __builtin_popcountl(mask[index]);
    return count;
}

/// accept4(2), non-blocking and close-on-exec from the start. `address` is a sockaddr_storage.
static inline int cnetpoll_accept(int fd, void *address, uint32_t *length) {
    return (int)syscall(SYS_accept4, fd, address, length, O_NONBLOCK | O_CLOEXEC);
}

/// A non-blocking, close-on-exec eventfd(2) with a zero counter.
static inline int cnetpoll_eventfd(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/// getrandom(2) without flags.
static inline intptr_t cnetpoll_getrandom(void *buffer, size_t count) {
    return (intptr_t)syscall(SYS_getrandom, buffer, count, 0);
}
#elif defined(__APPLE__)
/// As on Linux.
int cnetpoll_accept(int fd, void *address, uint32_t *length);

/// Random bytes of the system's generator, as many as asked for (arc4random(3)).
intptr_t cnetpoll_getrandom(void *buffer, size_t count);
#endif
