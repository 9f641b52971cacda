// Makes a system call fail, as a container's filter does.
#pragma once

/// From now on `call` (a number of <sys/syscall.h>) fails in this thread and those it starts with
/// `error` (seccomp(2)), for the rest of the process's life. Returns 0, or an errno.
int system_call_filter_refuse(int call, int error);

/// As the former, for EPOLL_CTL_ADD of epoll_ctl(2) alone.
int system_call_filter_refuse_epoll_add(int error);

/// The numbers of io_uring_setup(2), io_uring_enter(2) and io_uring_register(2).
int system_call_filter_io_uring_setup(void);
int system_call_filter_io_uring_enter(void);
int system_call_filter_io_uring_register(void);

/// The number of getrandom(2).
int system_call_filter_getrandom(void);
