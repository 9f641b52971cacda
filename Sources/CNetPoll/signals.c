// Signals by the self-pipe trick: all that the handler does is async-signal-safe (signal-safety(7)).
#include "CNetPoll.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static int reading_end = -1, writing_end = -1;
static _Atomic uint64_t pending;

static void caught(int number) {
    int kept = errno;
    atomic_fetch_or(&pending, (uint64_t)1 << number);
    char byte = 0;
    // A full pipe tells of signals already.
    if (write(writing_end, &byte, 1) < 0) {}
    errno = kept;
}

int cnetpoll_signals_open(void) {
    if (reading_end >= 0) return 0;
    int ends[2];
    if (pipe(ends) != 0) return -1;
    for (int i = 0; i < 2; i++) fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    writing_end = ends[1];
    reading_end = ends[0];
    return 0;
}

static int act(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}

int cnetpoll_signals_catch(int number) { return act(number, caught); }

void cnetpoll_signals_default(int number) { act(number, SIG_DFL); }

uint64_t cnetpoll_signals_wait(void) {
    for (;;) {
        char bytes[64];
        if (read(reading_end, bytes, sizeof bytes) < 0 && errno != EINTR) return 0;
        uint64_t found = atomic_exchange(&pending, 0);
        if (found != 0) return found;
    }
}
