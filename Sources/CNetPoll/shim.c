#if defined(__APPLE__)
#define __APPLE_USE_RFC_3542 // IPV6_PKTINFO
#endif

#include "CNetPoll.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__linux__)
#include <signal.h>
#include <sys/sendfile.h>

int cnetpoll_socket(int family, int kind) {
    return socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int cnetpoll_recvmmsg(int fd, void *messages, unsigned count) {
    return (int)syscall(SYS_recvmmsg, fd, messages, count, MSG_DONTWAIT, 0);
}

int cnetpoll_sendmmsg(int fd, void *messages, unsigned count) {
    return (int)syscall(SYS_sendmmsg, fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// sendfile(2) has no flag against SIGPIPE, which by default ends the process.
long cnetpoll_sendfile(int socket, int file, int64_t offset, unsigned long count) {
    sigset_t broken, before;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    off_t from = offset;
    long sent = sendfile(socket, file, &from, count);
    int code = errno;
    // Where it was blocked before, one that is pending is the caller's affair.
    if (!sigismember(&before, SIGPIPE)) {
        struct timespec none = {0, 0};
        sigtimedwait(&broken, NULL, &none);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    errno = code;
    return sent;
}

static void close_on_exec(int descriptor) { (void)descriptor; }
#elif defined(__APPLE__)
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>

// A socket raises no SIGPIPE (SO_NOSIGPIPE), and descriptors are marked when they are there.
#undef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#define MSG_CMSG_CLOEXEC 0

static void close_on_exec(int descriptor) { fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

static int prepared(int fd) {
    if (fd < 0) return fd;
    int one = 1;
    close_on_exec(fd);
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0) return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

int cnetpoll_socket(int family, int kind) { return prepared(socket(family, kind, 0)); }

int cnetpoll_accept(int fd, void *address, uint32_t *length) {
    return prepared(accept(fd, address, length));
}

long cnetpoll_sendfile(int socket, int file, int64_t offset, unsigned long count) {
    off_t sent = (off_t)count;
    int result = sendfile(file, socket, offset, &sent, NULL, 0);
    // A part may have gone although there is no room for the rest.
    return result == 0 || sent > 0 ? (long)sent : -1;
}

intptr_t cnetpoll_getrandom(void *buffer, size_t count) {
    arc4random_buf(buffer, count);
    return (intptr_t)count;
}

struct message {
    struct msghdr header;
    unsigned length;
};

int cnetpoll_recvmmsg(int fd, void *messages, unsigned count) {
    struct message *each = messages;
    for (unsigned index = 0; index < count; index++) {
        ssize_t bytes = recvmsg(fd, &each[index].header, MSG_DONTWAIT);
        if (bytes < 0) return index > 0 ? (int)index : -1;
        each[index].length = (unsigned)bytes;
    }
    return (int)count;
}

int cnetpoll_sendmmsg(int fd, void *messages, unsigned count) {
    struct message *each = messages;
    for (unsigned index = 0; index < count; index++) {
        ssize_t bytes = sendmsg(fd, &each[index].header, MSG_DONTWAIT);
        if (bytes < 0) return index > 0 ? (int)index : -1;
        each[index].length = (unsigned)bytes;
    }
    return (int)count;
}
#endif

void cnetpoll_packet_info(void *raw, struct cnetpoll_arrival *arrival) {
    struct msghdr *header = raw;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        const unsigned char *data = CMSG_DATA(part);
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, data, sizeof info);
            arrival->family = AF_INET;
            arrival->interface = (uint32_t)info.ipi_ifindex;
            arrival->v4 = info.ipi_addr.s_addr;
        } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
            // struct in6_pktinfo, which is declared for _GNU_SOURCE only: an address, an index.
            arrival->family = AF_INET6;
            memcpy(&arrival->v6_high, data, 8);
            memcpy(&arrival->v6_low, data + 8, 8);
            memcpy(&arrival->interface, data + 16, 4);
        }
    }
}

int cnetpoll_send_descriptor(int socket, int descriptor, uint8_t mark) {
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    if (getsockname(socket, (struct sockaddr *)&own, &length) != 0) return -1;
    if (own.ss_family != AF_UNIX) {
        errno = EOPNOTSUPP;
        return -1;
    }
    union {
        struct cmsghdr part;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec vector = {&mark, 1};
    struct msghdr header = {0};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    control.part.cmsg_level = SOL_SOCKET;
    control.part.cmsg_type = SCM_RIGHTS;
    control.part.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.part), &descriptor, sizeof descriptor);
    return (int)sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

long cnetpoll_receive_descriptors(
    int socket, void *buffer, unsigned long bytes, int *descriptors, int most, int *count) {
    union {
        struct cmsghdr part;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control;
    struct iovec vector = {buffer, bytes};
    struct msghdr header = {0};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    *count = 0;
    long received = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        size_t found = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < found; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + index * sizeof(int), sizeof descriptor);
            close_on_exec(descriptor);
            if (*count < most) {
                descriptors[(*count)++] = descriptor;
            } else {
                close(descriptor);
            }
        }
    }
    return received;
}
