/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* lifeline FILE: appends “start SECONDS” to FILE, and “stop SECONDS” when it is told to end, by the
   clock that all processes of a host share (CLOCK_MONOTONIC). The trivial service of
   bench-downtime; linked statically, for it is all that is in its image. */

static int
append (int fd, const char *what)
{
  struct timespec now;
  char line[64];
  int length = 0;

  clock_gettime (CLOCK_MONOTONIC, &now);
  length = snprintf (line, sizeof line, "%s %lld.%06ld\n", what, (long long) now.tv_sec,
                     now.tv_nsec / 1000);
  return write (fd, line, (size_t) length) == length ? 0 : 1;
}

int
main (int argc, char **argv)
{
  int fd = argc == 2 ? open (argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
  sigset_t ends;
  int signal_number = 0;

  sigemptyset (&ends);
  sigaddset (&ends, SIGTERM);
  sigaddset (&ends, SIGINT);
  sigprocmask (SIG_BLOCK, &ends, NULL);
  if (fd < 0 || append (fd, "start") != 0)
    return 1;
  sigwait (&ends, &signal_number);
  return append (fd, "stop");
}
