/* Requests of an io_uring that complete where nobody has asked for them, or where it is no longer as it was: the thread that submitted has ended, there
   is no room for the completion, or the process is in another directory by then. */
#include "uring.h"

#include <pthread.h>
#include <sys/mman.h>

#ifndef IOSQE_CQE_SKIP_SUCCESS
#define IOSQE_CQE_SKIP_SUCCESS (1U << 6)
#endif

/* Milliseconds that are waited for a worker. */
enum { PATIENCE_MS = 5000, REFUSED_MS = 200 };

static struct io_uring_sqe request;
static struct uring submitted_to;
/* Whether what was asked for has happened. */
static bool (*happened)(void);
static int next_descriptor;

static bool came(void) { return fcntl(next_descriptor, F_GETFD) >= 0; }
static bool went(void) { return access(object, F_OK) != 0; }

static void *submitter(void *nothing) {
    (void)nothing;
    submitted_to = uring_new(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    next_descriptor = (int)must("dup", dup(STDERR_FILENO));
    close(next_descriptor);
    submitted_to.entries[0] = request;
    // By a worker; its completion waits until the thread asks for it, which it never does.
    submitted_to.entries[0].flags = IOSQE_ASYNC;
    __atomic_store_n(submitted_to.submitted, 1, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, submitted_to.ring, 1, 0, 0, NULL, 0));
    for (int waited = 0; happened && !happened(); waited++) {
        if (waited == PATIENCE_MS) {
            errno = ETIME;
            cannot("a request that a worker runs");
        }
        usleep(1000);
    }
    if (!happened)
        usleep(REFUSED_MS * 1000);
    return NULL;
}

static void unmapped(void *in_page) { must("munmap", munmap((void *)((uintptr_t)in_page & ~4095UL), 4096)); }

/* A thread submits the request and ends; then the ring is let go, so that the kernel completes what is left in a thread of its own. */
static void submitted_by_one_that_ends(void) {
    pthread_t thread;
    errno = pthread_create(&thread, NULL, submitter, NULL);
    if (errno)
        cannot("a thread");
    pthread_join(thread, NULL);
    void *submit = submitted_to.submitted, *done = submitted_to.done_head;
    bool is_one_page = ((uintptr_t)submit ^ (uintptr_t)done) < 4096;
    unmapped(submit);
    if (!is_one_page)
        unmapped(done);
    unmapped(submitted_to.entries);
    must("close", close(submitted_to.ring));
}

static void to_rename(const char *from, const char *to) {
    request = (struct io_uring_sqe){
        .opcode = IORING_OP_RENAMEAT,
        .fd = AT_FDCWD,
        .len = (uint32_t)AT_FDCWD,
        .addr = (uint64_t)(uintptr_t)from,
        .addr2 = (uint64_t)(uintptr_t)to,
    };
}

static void ended_openat(void) {
    uring_openat(&request, object);
    happened = came;
    submitted_by_one_that_ends();
    say(next_descriptor);
}
static void denied_ended_openat(void) {
    nobody();
    uring_openat(&request, object);
    submitted_by_one_that_ends();
    errno = EACCES;
    say(-1);
}
static void ended_renameat(void) {
    to_rename(object, other);
    happened = went;
    submitted_by_one_that_ends();
    say(0);
}
static void ended_relative(void) {
    must("chdir", chdir(directory_of(object)));
    actor();
    to_rename(name_of(object), other);
    happened = went;
    submitted_by_one_that_ends();
    say(0);
}

/* The completion finds no room, for nobody has taken those before it. */
static void overflow_renameat(void) {
    struct uring uring = uring_new(0);
    for (unsigned count = 0; count <= *uring.done_mask; count++) {
        struct io_uring_sqe *entry = &uring.entries[*uring.submitted % URING_ENTRIES];
        memset(entry, 0, sizeof *entry);
        entry->opcode = IORING_OP_NOP;
        __atomic_store_n(uring.submitted, *uring.submitted + 1, __ATOMIC_RELEASE);
        must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 1, 0, 0, NULL, 0));
    }
    to_rename(object, other);
    uring.entries[*uring.submitted % URING_ENTRIES] = request;
    __atomic_store_n(uring.submitted, *uring.submitted + 1, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 1, 0, 0, NULL, 0));
    // A worker renames it.
    for (int waited = 0; !(__atomic_load_n(uring.submit_flags, __ATOMIC_ACQUIRE) & IORING_SQ_CQ_OVERFLOW); waited++) {
        if (waited == PATIENCE_MS) {
            errno = ETIME;
            cannot("a completion without room");
        }
        usleep(1000);
    }
    say(went() ? 0 : -1);
}

/* A worker renames it, and then, before the completion is asked for, what its path starts at is another. */
static _Noreturn void renamed_and_left(int directory, const char *from) {
    struct uring uring = uring_new(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    to_rename(from, other);
    uring.entries[0] = request;
    uring.entries[0].fd = directory;
    uring.entries[0].flags = IOSQE_ASYNC;
    __atomic_store_n(uring.submitted, 1, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 1, 0, 0, NULL, 0));
    for (int waited = 0; !went() && waited < PATIENCE_MS; waited++)
        usleep(1000);
    if (directory == AT_FDCWD)
        must("chdir", chdir("/"));
    else
        close(directory);
    say(uring_run(&uring, 0, 1));
}
static void moved_renameat(void) {
    must("chdir", chdir(directory_of(object)));
    actor();
    renamed_and_left(AT_FDCWD, name_of(object));
}
static void closed_renameat(void) {
    int directory = (int)must("open the directory", open(directory_of(object), O_PATH | O_DIRECTORY | O_CLOEXEC));
    actor();
    renamed_and_left(directory, name_of(object));
}

/* It waits behind a read, and when it runs the process is where the object lies. It asks for no completion. */
static void suppressed_moved(void) {
    int ends[2];
    must("pipe", pipe(ends));
    char byte;
    struct uring uring = uring_new(0);
    memset(&uring.entries[0], 0, sizeof uring.entries[0]);
    uring.entries[0].opcode = IORING_OP_READ;
    uring.entries[0].fd = ends[0];
    uring.entries[0].addr = (uint64_t)(uintptr_t)&byte;
    uring.entries[0].len = 1;
    uring.entries[0].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    to_rename(name_of(object), other);
    uring.entries[1] = request;
    uring.entries[1].flags = IOSQE_CQE_SKIP_SUCCESS;
    __atomic_store_n(uring.submitted, 2, __ATOMIC_RELEASE);
    must("chdir", chdir("/"));
    actor();
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 2, 0, 0, NULL, 0));
    must("chdir", chdir(directory_of(object)));
    must("write", write(ends[1], "", 1));
    for (int waited = 0; !went() && waited < PATIENCE_MS; waited++)
        usleep(1000);
    say(went() ? 0 : -1);
}

/* Many changes are cancelled, without completion, for what they are chained to fails. */
static void cancelled_changes(void) {
    enum { RINGS = 200 };
    for (int count = 0; count < RINGS; count++) {
        struct uring uring = uring_new(0);
        memset(&uring.entries[0], 0, sizeof uring.entries[0]);
        uring.entries[0].opcode = IORING_OP_READ;
        uring.entries[0].fd = -1;
        uring.entries[0].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
        for (int place = 1; place < URING_ENTRIES; place++) {
            to_rename(object, other);
            uring.entries[place] = request;
            uring.entries[place].flags = place + 1 < URING_ENTRIES ? IOSQE_IO_LINK : 0;
        }
        __atomic_store_n(uring.submitted, URING_ENTRIES, __ATOMIC_RELEASE);
        must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, URING_ENTRIES, 0, 0, NULL, 0));
    }
    say(0);
}

const struct way ring_end_ways[] = {
    {"uring_ended_openat", ended_openat},
    {"denied_uring_ended_openat", denied_ended_openat},
    {"uring_ended_renameat", ended_renameat},
    {"uring_ended_relative", ended_relative},
    {"uring_overflow_renameat", overflow_renameat},
    {"uring_moved_renameat", moved_renameat},
    {"uring_closed_renameat", closed_renameat},
    {"uring_suppressed_moved", suppressed_moved},
    {"uring_cancelled_changes", cancelled_changes},
    {0},
};
