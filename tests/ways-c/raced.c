/* Descriptors that another thread takes away, or puts another file in the place of, while a call on them runs: again and again, and told how often. */
#include "ways.h"

#include <pthread.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { TRIES = 20000 };

static int raced, spare;

static void *closes(void *unused) {
    for (;;)
        close(raced);
    return unused;
}

/* The number that the next descriptor will have, which the other thread is after. */
static void begin(void *(*other_thread)(void *)) {
    pthread_t thread;
    raced = (int)must("dup", dup(STDERR_FILENO));
    close(raced);
    must("a thread", -pthread_create(&thread, NULL, other_thread, NULL));
}

static long again(void) { return syscall(SYS_openat, AT_FDCWD, object, O_RDONLY | O_CLOEXEC); }

/* Another number is nobody's to close but its own. */
static void await_gone(long file) {
    if (file != raced)
        close((int)file);
    while (fcntl(raced, F_GETFD) >= 0) {
    }
}

/* Opens. Says how often. */
static void raced_closes(void) {
    begin(closes);
    for (int tries = 0; tries < TRIES; tries++) {
        long file = again();
        target += file >= 0;
        await_gone(file);
    }
    say(0);
}

/* The other thread acts once in each turn, each time a little later. Each has a CPU, where there are two. */
static int begun, over;
static void run_on(int which) {
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0 || CPU_COUNT(&allowed) < 2)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && which-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
        }
}
static void await_turn(const int *of, int turn) {
    for (int looks = 1; __atomic_load_n(of, __ATOMIC_ACQUIRE) < turn; looks++)
        // The other thread may have no CPU.
        if (looks % 4096 == 0)
            sched_yield();
}
static void *in_turns(void *act) {
    run_on(1);
    for (int turn = 1; turn <= TRIES; turn++) {
        await_turn(&begun, turn);
        for (volatile int wait = turn % 1024; wait > 0; wait--) {
        }
        ((void (*)(void))act)();
        __atomic_store_n(&over, turn, __ATOMIC_RELEASE);
    }
    return NULL;
}
static void take_turns(void (*act)(void)) {
    pthread_t thread;
    must("a thread", -pthread_create(&thread, NULL, in_turns, (void *)act));
    run_on(0);
}

/* Opens, while another thread puts OTHER in the place of what comes. Where the number is promised and nothing is there yet, that fails. */
static void replace(void) {
    while (dup3(spare, raced, O_CLOEXEC) < 0) {
    }
}
static void raced_replaces(void) {
    spare = (int)must("open", open(other, O_RDONLY | O_CLOEXEC));
    raced = (int)must("dup", dup(STDERR_FILENO));
    close(raced);
    take_turns(replace);
    for (int turn = 1; turn <= TRIES; turn++) {
        __atomic_store_n(&begun, turn, __ATOMIC_RELEASE);
        long file = again();
        target += file >= 0;
        await_turn(&over, turn);
        if (file != raced)
            close((int)file);
        close(raced);
    }
    say(0);
}

/* Calls on a descriptor that another thread closes meanwhile. Says how many succeeded. */
static void close_it(void) { close(raced); }
static _Noreturn void on_raced(int tries, long (*descriptor)(void), long (*call)(int)) {
    take_turns(close_it);
    for (int turn = 1; turn <= tries; turn++) {
        raced = (int)must("a descriptor", descriptor());
        __atomic_store_n(&begun, turn, __ATOMIC_RELEASE);
        target += call(raced) > 0;
        await_turn(&over, turn);
    }
    say(0);
}
static long change(int file) { return syscall(SYS_fchmod, file, 0600) == 0; }
static long map(int file) {
    void *place = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    return place != MAP_FAILED && munmap(place, 4096) == 0;
}
static long list(int file) {
    char entries[4096];
    return syscall(SYS_getdents64, file, entries, sizeof entries);
}
/* OBJECT is the pid of the sensor, of which the standard input is taken. */
static long the_sensor(void) { return syscall(SYS_pidfd_open, atoi(object), 0); }
static long take(int process) {
    long taken = syscall(SYS_pidfd_getfd, process, STDIN_FILENO, 0);
    return taken >= 0 && close((int)taken) == 0;
}
/* Each change is an event of its own. */
static void raced_changes(void) { on_raced(TRIES / 10, again, change); }
static void raced_maps(void) { on_raced(TRIES / 4, again, map); }
static void raced_lists(void) { on_raced(TRIES / 4, again, list); }
static void raced_takes(void) { on_raced(TRIES / 10, the_sensor, take); }

/* The mode of OBJECT is changed by a descriptor, in the place of which another file is put while the call waits: its file system is frozen. OTHER is
   made. */
static void *changes_mode(void *unused) {
    target = fchmod(raced, 0611);
    return unused;
}
static void raced_frozen(void) {
    write_text(other, "");
    int directory = (int)must("the directory", open(directory_of(object), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int another = (int)must("the other file", open(other, O_RDONLY | O_CLOEXEC));
    raced = opened();
    must("freeze the file system", ioctl(directory, FIFREEZE, 0));
    pthread_t thread;
    must("a thread", -pthread_create(&thread, NULL, changes_mode, NULL));
    usleep(300000);
    long replaced = dup2(another, raced);
    must("thaw the file system", ioctl(directory, FITHAW, 0));
    must("another file in its place", replaced);
    pthread_join(thread, NULL);
    say(target);
}

/* A file of its own takes the place of OBJECT in a tree of its own, and is changed there by its path. */
static void own_tree(void) {
    private_mounts();
    must("mount a tmpfs", mount("own", directory_of(object), "tmpfs", 0, NULL));
    write_text(object, "");
    actor();
    must("chmod", chmod(object, 0644));
    must("rename", rename(object, joined(directory_of(object), "moved")));
    say(0);
}

/* The same in a tree of mounts that are in no namespace, where the path is the same. */
static void own_detached(void) {
    const char *top = directory_of(directory_of(directory_of(object)));
    private_mounts();
    must("mount a tmpfs", mount("own", top, "tmpfs", 0, NULL));
    /* The path below the root. */
    char below[4096] = "", *end = below;
    const char *made = joined(top, "");
    for (const char *name = object + 1, *next; (next = strchr(name, '/')); name = next + 1) {
        end += sprintf(end, "/%.*s", (int)(next - name), name);
        must("make a directory", mkdir(joined(made, below), 0700));
    }
    write_text(joined(top, object), "");
    int tree = (int)must("open_tree", syscall(SYS_open_tree, AT_FDCWD, top, OPEN_TREE_CLONE | O_CLOEXEC));
    must("umount", umount2(top, MNT_DETACH));
    actor();
    must("chmod", fchmodat(tree, object + 1, 0644, 0));
    must("fchdir", fchdir(tree));
    must("chroot", chroot("."));
    must("chmod", chmod(object, 0640));
    say(0);
}

/* OTHER becomes a directory in which the path leads to another file. */
static void another_root(const char *path) {
    char below[4096];
    must("make a directory", mkdir(other, 0755));
    for (const char *name = path + 1, *next; (next = strchr(name, '/')); name = next + 1) {
        sprintf(below, "%s%.*s", other, (int)(next - path), path);
        must("make a directory", mkdir(below, 0755));
    }
    write_text(joined(other, path), "");
}
/* The mode of OBJECT is changed in a tree of its own, and the tree is left for another one at once. */
static void left_changed(void) {
    private_mounts();
    another_root(object);
    actor();
    long changed = syscall(SYS_fchmodat, AT_FDCWD, object, 0600);
    must("chroot", chroot(other));
    say(changed);
}
/* The open of a link to OBJECT is refused, and the tree left at once, by right of a user namespace of its own. */
static void left_refused(void) {
    const char *way = joined(directory_of(other), "way");
    must("link", symlink(object, way));
    another_root(way);
    /* It is nothing that was changed just now. */
    usleep(100000);
    nobody();
    actor();
    long result = syscall(SYS_openat, AT_FDCWD, way, O_RDONLY);
    must("a user namespace", unshare(CLONE_NEWUSER));
    must("chroot", chroot(other));
    say(result);
}

/* The same of an open from a directory that is not below the root that it has by then. */
static void outside_refused(void) {
    const char *way = joined(directory_of(other), "outside");
    must("link", link(object, way));
    another_root(way);
    usleep(100000);
    nobody();
    must("chdir", chdir(directory_of(way)));
    must("a user namespace", unshare(CLONE_NEWUSER));
    must("chroot", chroot(other));
    actor();
    say(syscall(SYS_openat, AT_FDCWD, "outside", O_RDONLY));
}
/* The same in mounts that are in no namespace. */
static void detached_refused(void) {
    const char *way = joined(directory_of(other), "detached");
    must("link", link(object, way));
    int tree = (int)must("open_tree", syscall(SYS_open_tree, AT_FDCWD, directory_of(way), OPEN_TREE_CLONE | O_CLOEXEC));
    nobody();
    actor();
    say(syscall(SYS_openat, tree, "detached", O_RDONLY));
}

const struct way raced_ways[] = {
    {"raced_closes", raced_closes}, {"raced_replaces", raced_replaces}, {"raced_changes", raced_changes}, {"raced_maps", raced_maps},
    {"raced_lists", raced_lists},   {"raced_takes", raced_takes},       {"raced_frozen", raced_frozen},
    {"own_tree", own_tree},         {"own_detached", own_detached},     {"left_changed", left_changed},
    {"left_refused", left_refused}, {"outside_refused", outside_refused}, {"detached_refused", detached_refused}, {0},
};
