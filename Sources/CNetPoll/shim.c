#include "CNetPoll.h"

#if defined(__linux__)
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int cnetpoll_recvmmsg(int fd, void *messages, unsigned count) {
    return (int)syscall(SYS_recvmmsg, fd, messages, count, MSG_DONTWAIT, 0);
}

int cnetpoll_sendmmsg(int fd, void *messages, unsigned count) {
    return (int)syscall(SYS_sendmmsg, fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

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
    int domain = 0;
    socklen_t length = sizeof domain;
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) return -1;
    if (domain != AF_UNIX) {
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
            if (*count < most) {
                descriptors[(*count)++] = descriptor;
            } else {
                close(descriptor);
            }
        }
    }
    return received;
}
#endif
