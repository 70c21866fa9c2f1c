/* Processes that are no threads of one another, and share what they have open, or their memory. */
#include "copier.h"

#include <sched.h>
#include <sys/syscall.h>

static int ends[2];

/* One that has read nothing opens the file, once the other one has read; both have it. */
static void table(const char *from, const char *to) {
    connected(ends);
    pid_t child = checked(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0), "clone");
    if (child == 0) {
        await(ends[1]);
        int file = made(to);
        checked(send(ends[1], &file, sizeof file, 0), "send");
        await(ends[1]);
        _exit(0);
    }
    take(from);
    let(ends[0]);
    int file;
    checked(recv(ends[0], &file, sizeof file, 0), "recv");
    put(file);
    let(ends[0]);
    ended(child);
    said_and_waited();
}

static const char *original;

static int takes(void *nothing) {
    (void)nothing;
    take(original);
    return 0;
}

/* One reads, the other one writes. */
static void in_memory(const char *from, const char *to) {
    static char stack[65536] __attribute__((aligned(16)));
    original = from;
    ended(checked(clone(takes, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL), "clone"));
    put(made(to));
    said_and_waited();
}

static void vforked(const char *from, const char *to) {
    pid_t child = checked(vfork(), "vfork");
    if (child == 0) {
        take(from);
        _exit(0);
    }
    ended(child);
    put(made(to));
    said_and_waited();
}

const struct way shared_ways[] = {{"shared-table", table}, {"shared-memory", in_memory}, {"vforked", vforked}, {0}};
