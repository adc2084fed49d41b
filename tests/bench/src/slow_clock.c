// Preloaded into a process that valgrind counts. Valgrind makes a process about fifty times slower, so its clock is slowed down
// too. Otherwise the timeouts of the function (warm-up, connect, attempt) would end slow requests, and the counts would depend
// on the machine.
#define _GNU_SOURCE
#include <limits.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLOWER = 1000 };

// Slows down the monotonic clock, which measures timeouts. The wall clock is unchanged: signatures and certificates depend on it.
int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && clock == CLOCK_MONOTONIC) {
    long long nanoseconds = (now->tv_sec * 1000000000LL + now->tv_nsec) / SLOWER;
    now->tv_sec = nanoseconds / 1000000000;
    now->tv_nsec = nanoseconds % 1000000000;
  }
  return failed;
}

// The functions' async runtime waits for its next timeout here.
int epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds) {
  if (milliseconds > 0) {
    milliseconds = milliseconds > INT_MAX / SLOWER ? INT_MAX : milliseconds * SLOWER;
  }
  return epoll_pwait(epoll, events, most, milliseconds, NULL);
}
