// System calls and macros of Linux that Swift's Glibc overlay does not import.
//
// Feature macros such as _GNU_SOURCE stay undefined here: they would change the C library's types
// against those of the Glibc overlay.
#pragma once

#include "CNetPollRing.h"

#if defined(__linux__)
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

/// accept4(2), non-blocking and close-on-exec from the start. `address` is a sockaddr_storage.
static inline int cnetpoll_accept(int fd, void *address, uint32_t *length) {
    return (int)syscall(SYS_accept4, fd, address, length, O_NONBLOCK | O_CLOEXEC);
}

/// A non-blocking, close-on-exec eventfd(2) with a zero counter.
static inline int cnetpoll_eventfd(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/// sendfile(2) from an offset; the file's own position stays as it is.
static inline long cnetpoll_sendfile(int socket, int file, int64_t offset, unsigned long count) {
    off_t from = offset;
    return sendfile(socket, file, &from, count);
}

/// getrandom(2) without flags.
static inline intptr_t cnetpoll_getrandom(void *buffer, size_t count) {
    return (intptr_t)syscall(SYS_getrandom, buffer, count, 0);
}

/// An identifier of the calling thread; never zero.
static inline uint64_t cnetpoll_thread_id(void) {
    return (uint64_t)pthread_self();
}
#endif
