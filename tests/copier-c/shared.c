/* Processes that are no threads of one another, and share what they have open, or their memory. */
#include "copier.h"

#include <sched.h>
#include <sys/syscall.h>

static int ends[2];

/* One that has read nothing opens the file, once the other one has read; both have it. */
static void table(const char *from, const char *to) {
    connected(ends);
    pid_t child = checked(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0), "clone");
    if (child == 0)
        offer(ends[1], to);
    take(from);
    let(ends[0]);
    put(offered(ends[0]));
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
