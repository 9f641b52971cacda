#include "CNetPoll.h"

#if defined(__linux__)
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
#endif
