/* Copies that lie at no path, and what another process opened. */
#include "copier.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void plain(const char *from, const char *to) {
    take(from);
    put(made(to));
    said_and_waited();
}

/* In the directory above the name that it gets. */
static int without_name(const char *to) {
    char directory[4096];
    strncpy(directory, to, sizeof directory - 1);
    *strrchr(directory, '/') = 0;
    return checked(open(directory, O_TMPFILE | O_RDWR, 0600), directory);
}

static void link_to(int file, const char *to) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    checked(linkat(AT_FDCWD, name, AT_FDCWD, to, AT_SYMLINK_FOLLOW), to);
}

static void unnamed(const char *from, const char *to) {
    take(from);
    int file = without_name(to);
    put(file);
    said_and_waited();
    link_to(file, to);
}

/* It has ended before anybody can look at what it has open. */
static void unnamed_quick(const char *from, const char *to) {
    take(from);
    int file = without_name(to);
    put(file);
    link_to(file, to);
}

static void memory(const char *from, const char *to) {
    (void)to;
    take(from);
    put(checked(memfd_create("scratch", MFD_CLOEXEC), "memfd_create"));
    said_and_waited();
}

static void forked(const char *from, const char *to) {
    take(from);
    pid_t child = checked(fork(), "fork");
    if (child == 0) {
        put(made(to));
        _exit(0);
    }
    ended(child);
    said_and_waited();
}

/* The credential comes open from another process, to one that has its file open already: what it opened was not looked at. */
static void received(const char *from, const char *to) {
    int ends[2];
    connected(ends);
    int file = made(to);
    pid_t child = checked(fork(), "fork");
    if (child == 0) {
        send_file(ends[1], checked(open(from, O_RDONLY), from));
        _exit(0);
    }
    take_from(receive_file(ends[0]));
    put(file);
    said_and_waited();
}

static void executed(const char *from, const char *to) {
    int ends[2];
    connected(ends);
    /* It is under way while the original is read, so neither its making nor the reading shows it. */
    int file = checked(memfd_create("scratch", MFD_CLOEXEC), "memfd_create");
    send_file(ends[1], file);
    close(file);
    take(from);
    file = receive_file(ends[0]);
    put(file);
    checked(fcntl(file, F_SETFD, 0), "fcntl");
    checked(execl(self, self, "wait", from, to, (char *)NULL), "exec");
}

static void wait_only(const char *from, const char *to) {
    (void)from;
    (void)to;
    said_and_waited();
}

/* A process that has read nothing opens the file, once the other one has read, and hands it over. */
static void given(const char *from, const char *to) {
    int ends[2];
    connected(ends);
    pid_t child = checked(fork(), "fork");
    if (child == 0) {
        await(ends[1]);
        send_file(ends[1], made(to));
        _exit(0);
    }
    take(from);
    let(ends[0]);
    put(receive_file(ends[0]));
    ended(child);
    said_and_waited();
}

/* The same, but it is fetched. */
static void fetched(const char *from, const char *to) {
    int ends[2];
    connected(ends);
    pid_t child = checked(fork(), "fork");
    if (child == 0)
        offer(ends[1], to);
    take(from);
    let(ends[0]);
    int process = checked(syscall(SYS_pidfd_open, child, 0), "pidfd_open");
    put(checked(syscall(SYS_pidfd_getfd, process, offered(ends[0]), 0), "pidfd_getfd"));
    let(ends[0]);
    ended(child);
    said_and_waited();
}

enum { OPEN_FILES = 60 };

/* Another program, with all that is open. */
static void start(void) {
    pid_t child = checked(fork(), "fork");
    if (child == 0)
        checked(execl("/bin/true", "true", (char *)NULL), "exec");
    ended(child);
}

/* It has many files open when it starts other programs, the first time changed, then as they were, then one of them changed. It says when. */
static void starting(const char *from, const char *to) {
    int files[OPEN_FILES];
    take(from);
    for (int i = 0; i < OPEN_FILES; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s%d", to, i);
        files[i] = checked(open(name, O_WRONLY | O_CREAT | O_EXCL, 0600), name);
        checked(write(files[i], name, 1), name);
    }
    start();
    said_and_waited();
    for (int i = 0; i < 3; i++)
        start();
    said_and_waited();
    checked(write(files[0], to, 1), to);
    start();
    said_and_waited();
}

/* The file is mapped, and closed, before anything is read. */
static void mapped_before(const char *from, const char *to) {
    struct stat original;
    checked(stat(from, &original), from);
    int file = checked(open(to, O_RDWR | O_CREAT | O_EXCL, 0600), to);
    checked(ftruncate(file, original.st_size), to);
    void *mapped = mmap(NULL, original.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        fail("mmap");
    close(file);
    take(from);
    memcpy(mapped, content, original.st_size);
    said_and_waited();
}

static int turns[2];
static void *in_own_table(void *to) {
    checked(unshare(CLONE_FILES), "unshare");
    int file = made(to);
    let(turns[1]);
    await(turns[1]);
    put(file);
    return NULL;
}

/* A thread that has left the table of its process has the file open while another one reads. */
static void own_table(const char *from, const char *to) {
    pthread_t writer;
    connected(turns);
    if (pthread_create(&writer, NULL, in_own_table, (void *)to) != 0)
        fail("pthread_create");
    await(turns[0]);
    take(from);
    let(turns[0]);
    pthread_join(writer, NULL);
    said_and_waited();
}

const struct way hidden_ways[] = {
    {"plain", plain},       {"unnamed", unnamed},   {"unnamed-quick", unnamed_quick},
    {"memory", memory},     {"forked", forked},     {"received", received},
    {"executed", executed}, {"wait", wait_only},    {"given", given},
    {"fetched", fetched},   {"starting", starting}, {"mapped-before", mapped_before},
    {"own-table", own_table}, {0},
};
