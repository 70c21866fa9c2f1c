/* An io_uring of a few entries, by raw system calls. */
#pragma once
#include "ways.h"

#include <linux/io_uring.h>

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

enum { URING_ENTRIES = 8 };

struct uring {
    int ring;
    unsigned flags;
    unsigned *submitted, *submit_flags, *done_head, *done_tail, *done_mask;
    struct io_uring_sqe *entries;
    struct io_uring_cqe *completions;
};

/* Sets one up, or says that this machine cannot. */
struct uring uring_new(unsigned flags);
/* Fills an entry for opening `path`. */
void uring_openat(struct io_uring_sqe *entry, const char *path);
/* Submits `count` entries, waits for `wait` completions, and gives the last one's result as a system call would. */
long uring_run(struct uring *uring, unsigned count, unsigned wait);
