/* Files that are open in an io_uring and have no descriptor: opened there by any path, with and without completion, and come by with the ring. */
#include "uring.h"

#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>

#ifndef IORING_FILE_INDEX_ALLOC
#define IORING_FILE_INDEX_ALLOC (~0U)
#endif
#ifndef IOSQE_CQE_SKIP_SUCCESS
#define IOSQE_CQE_SKIP_SUCCESS (1U << 6)
#endif
/* include/uapi/linux/io_uring.h, from 6.0 on */
enum { MSG_RING = 40, MSG_SEND_FD = 1, FSETXATTR = 41, REGISTER_RING_FDS = 20 };
enum { PATH_BYTES = 3000, FAR = 100 };

/* A ring with two places for files, both free. */
static struct uring with_places(unsigned setup) {
    int none[2] = {-1, -1};
    struct uring uring = uring_new(setup);
    must("fixed files", syscall(SYS_io_uring_register, uring.ring, IORING_REGISTER_FILES, none, 2));
    return uring;
}

static _Noreturn void open_into(uint32_t slot, const char *path) {
    struct uring uring = with_places(0);
    uring_openat(&uring.entries[0], path);
    uring.entries[0].file_index = slot;
    say(uring_run(&uring, 1, 1));
}

static void fixed_file(void) { open_into(1, object); }
static void fixed_anywhere(void) { open_into(IORING_FILE_INDEX_ALLOC, object); }

static void fixed_symlink(void) {
    must("symlink", symlink(object, other));
    actor();
    open_into(2, other);
}

static void fixed_proc_cwd(void) {
    must("chdir", chdir(directory_of(object)));
    actor();
    open_into(1, joined("/proc/self/cwd", name_of(object)));
}

static void fixed_chroot(void) {
    must("chroot", chroot(directory_of(object)));
    must("chdir", chdir("/"));
    open_into(1, joined("", name_of(object)));
}

static void fixed_relative(void) {
    struct uring uring = with_places(0);
    uring_openat(&uring.entries[0], name_of(object));
    uring.entries[0].fd = (int)must("open the directory", open(directory_of(object), O_PATH | O_DIRECTORY | O_CLOEXEC));
    uring.entries[0].file_index = 1;
    say(uring_run(&uring, 1, 1));
}

static void fixed_long_path(void) {
    char path[PATH_BYTES + 256] = "";
    for (size_t length = 0; length < PATH_BYTES; length += 2)
        memcpy(path + length, "/.", 3);
    strncat(path, object, 255);
    open_into(1, path);
}

/* Without completion; the entry that follows it does nothing, and its completion tells that the first has succeeded. */
static struct uring silently(unsigned setup, uint32_t slot, const char *path) {
    struct uring uring = with_places(setup);
    uring_openat(&uring.entries[0], path);
    uring.entries[0].file_index = slot;
    uring.entries[0].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    memset(&uring.entries[1], 0, sizeof uring.entries[1]);
    uring.entries[1].opcode = IORING_OP_NOP;
    return uring;
}

static void suppressed_fixed(void) {
    struct uring uring = silently(0, 1, object);
    say(uring_run(&uring, 2, 1));
}

static void suppressed_anywhere(void) {
    struct uring uring = silently(0, IORING_FILE_INDEX_ALLOC, object);
    say(uring_run(&uring, 2, 1));
}

static void suppressed_symlink(void) {
    must("symlink", symlink(object, other));
    actor();
    struct uring uring = silently(0, 0, other);
    say(uring_run(&uring, 2, 1));
}

static void suppressed_worker(void) {
    struct uring uring = silently(0, 1, object);
    uring.entries[0].flags |= IOSQE_ASYNC;
    say(uring_run(&uring, 2, 1));
}

static void suppressed_sqpoll(void) {
    struct uring uring = silently(IORING_SETUP_SQPOLL, 1, object);
    say(uring_run(&uring, 2, 1));
}

/* It is closed again before the call ends that submits it. */
static _Noreturn void opened_and_closed(const char *path) {
    struct uring uring = silently(0, 1, path);
    struct io_uring_sqe *entry = &uring.entries[1];
    entry->opcode = IORING_OP_CLOSE;
    entry->file_index = 1;
    entry->flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    memset(&uring.entries[2], 0, sizeof uring.entries[2]);
    uring.entries[2].opcode = IORING_OP_NOP;
    say(uring_run(&uring, 3, 1));
}

static void suppressed_closed(void) { opened_and_closed(object); }

/* The directory stands for the root, and nothing is left of it when its end can be looked at. */
static void suppressed_closed_in_root(void) {
    int directory = (int)must("open the directory", open(directory_of(object), O_PATH | O_DIRECTORY | O_CLOEXEC));
    actor();
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
    struct uring uring = silently(0, 1, joined("/", name_of(object)));
    uring.entries[0].opcode = IORING_OP_OPENAT2;
    uring.entries[0].fd = directory;
    uring.entries[0].len = sizeof how;
    uring.entries[0].off = (uint64_t)(uintptr_t)&how;
    uring.entries[0].open_flags = 0;
    uring.entries[1].opcode = IORING_OP_CLOSE;
    uring.entries[1].file_index = 1;
    uring.entries[1].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    memset(&uring.entries[2], 0, sizeof uring.entries[2]);
    uring.entries[2].opcode = IORING_OP_NOP;
    say(uring_run(&uring, 3, 1));
}

static void suppressed_closed_symlink(void) {
    must("symlink", symlink(object, other));
    actor();
    opened_and_closed(other);
}

/* As opened_and_closed, with something that is done to its path by the same call. */
static _Noreturn void opened_and_led_elsewhere(const char *path, int directory, void (*lead)(struct io_uring_sqe *)) {
    struct uring uring = silently(0, 1, path);
    struct io_uring_sqe *entry = &uring.entries[1];
    uring.entries[0].fd = directory;
    entry->opcode = IORING_OP_CLOSE;
    entry->file_index = 1;
    entry->flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    memset(&uring.entries[2], 0, sizeof uring.entries[2]);
    lead(&uring.entries[2]);
    say(uring_run(&uring, 3, 1));
}
static const char *other_link;
static void lead_by_link(struct io_uring_sqe *entry) {
    entry->opcode = IORING_OP_RENAMEAT;
    entry->fd = AT_FDCWD;
    entry->addr = (uint64_t)(uintptr_t)other_link;
    entry->len = (uint32_t)AT_FDCWD;
    entry->addr2 = (uint64_t)(uintptr_t)other;
}
static void suppressed_closed_swapped(void) {
    other_link = joined(directory_of(other), "other_link");
    must("symlink", symlink(object, other));
    must("symlink", symlink("/etc/passwd", other_link));
    actor();
    opened_and_led_elsewhere(other, AT_FDCWD, lead_by_link);
}
static int directory;
static void lead_by_descriptor(struct io_uring_sqe *entry) {
    entry->opcode = IORING_OP_CLOSE;
    entry->fd = directory;
}
static void suppressed_closed_relative(void) {
    actor();
    directory = (int)must("open the directory", open(directory_of(object), O_PATH | O_DIRECTORY | O_CLOEXEC));
    opened_and_led_elsewhere(name_of(object), directory, lead_by_descriptor);
}

static void suppressed_closed_proc_cwd(void) {
    must("chdir", chdir(directory_of(object)));
    actor();
    opened_and_closed(joined("/proc/self/cwd", name_of(object)));
}

static void suppressed_closed_mounts(void) {
    private_mounts();
    must("mkdir", mkdir(other, 0700));
    must("mount", mount(directory_of(object), other, NULL, MS_BIND, NULL));
    actor();
    opened_and_closed(joined(other, name_of(object)));
}

/* What is no file of a credential, by a link and closed again. The setup is the target, which has read the decoy. */
static void suppressed_closed_environ(void) {
    char path[64];
    target = getpid();
    close(opened());
    snprintf(path, sizeof path, "/proc/%ld/environ", target);
    must("symlink", symlink(path, other));
    actor();
    opened_and_closed(other);
}
/* The same by the polling thread, of the setup's memory mounted elsewhere. */
static void suppressed_sqpoll_mem(void) {
    char path[64];
    target = getpid();
    close(opened());
    private_mounts();
    snprintf(path, sizeof path, "/proc/%ld/mem", target);
    write_text(other, "");
    must("mount", mount(path, other, NULL, MS_BIND, NULL));
    actor();
    struct uring uring = silently(IORING_SETUP_SQPOLL, 1, other);
    say(uring_run(&uring, 2, 1));
}
static void suppressed_closed_link(void) {
    unlink(other);
    must("symlink", symlink(object, other));
    actor();
    opened_and_closed(other);
}

/* A read of a pipe in which nothing is yet: what is chained to it waits. */
static void waits(struct io_uring_sqe *entry, int pipe, void *byte) {
    entry->opcode = IORING_OP_READ;
    entry->fd = pipe;
    entry->addr = (uint64_t)(uintptr_t)byte;
    entry->len = 1;
}

/* It runs only when a pipe is written to, after its call has ended, and only then its path leads to the decoy. */
static _Noreturn void opened_late(bool leads_back) {
    int data[2];
    char byte = 0;
    const char *first = joined(directory_of(other), "first_link"), *second = joined(directory_of(other), "second_link");
    must("symlink", symlink("/", other));
    must("symlink", symlink(directory_of(object), first));
    must("symlink", symlink("/", second));
    // As long as nothing on the way was changed before, nobody needs to doubt where it leads.
    usleep(300000);
    actor();
    must("pipe", pipe2(data, O_CLOEXEC));
    struct uring uring = with_places(0);
    struct io_uring_sqe *entries = uring.entries;
    memset(entries, 0, 4 * sizeof *entries);
    waits(&entries[0], data[0], &byte);
    uring_openat(&entries[1], joined(other, name_of(object)));
    entries[1].file_index = 1;
    entries[2].opcode = IORING_OP_CLOSE;
    entries[2].file_index = 1;
    entries[3].opcode = IORING_OP_NOP;
    for (int place = 0; place < 3; place++)
        entries[place].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    __atomic_store_n(uring.submitted, 4, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 4, 0, 0, NULL, 0));
    // What looks where the path leads now has the time to.
    usleep(300000);
    must("rename", rename(first, other));
    must("write", write(data[1], &byte, 1));
    long result = uring_run(&uring, 0, 1);
    if (leads_back)
        must("rename", rename(second, other));
    say(result);
}
static void suppressed_late(void) { opened_late(false); }
static void suppressed_late_back(void) { opened_late(true); }

/* It waits behind a read of what nobody writes, and is cancelled when the process ends. */
static void suppressed_never(void) {
    int data[2];
    static char byte;
    must("pipe", pipe2(data, O_CLOEXEC));
    struct uring uring = with_places(0);
    struct io_uring_sqe *entries = uring.entries;
    memset(entries, 0, 2 * sizeof *entries);
    waits(&entries[0], data[0], &byte);
    entries[0].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    uring_openat(&entries[1], object);
    entries[1].file_index = 1;
    entries[1].flags = IOSQE_CQE_SKIP_SUCCESS;
    __atomic_store_n(uring.submitted, 2, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 2, 0, 0, NULL, 0));
    say(0);
}

/* Many opens are cancelled, without completion, for what they are chained to fails. */
static void cancelled(void) {
    enum { RINGS = 200 };
    for (int count = 0; count < RINGS; count++) {
        struct uring uring = uring_new(0);
        memset(&uring.entries[0], 0, sizeof uring.entries[0]);
        uring.entries[0].opcode = IORING_OP_READ;
        uring.entries[0].fd = -1;
        uring.entries[0].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
        for (int place = 1; place < URING_ENTRIES; place++) {
            uring_openat(&uring.entries[place], object);
            uring.entries[place].flags = place + 1 < URING_ENTRIES ? IOSQE_IO_LINK : 0;
        }
        __atomic_store_n(uring.submitted, URING_ENTRIES, __ATOMIC_RELEASE);
        must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, URING_ENTRIES, 0, 0, NULL, 0));
    }
    say(0);
}

/* The number that the next descriptor will have. */
static int next_number(void) {
    int number = (int)must("dup", dup(STDERR_FILENO));
    close(number);
    return number;
}

/* In the place of the decoy another file lies when its open completes, for what is submitted together completes together. OTHER is made. */
static void replaced(void) {
    write_text(other, "");
    actor();
    struct uring uring = uring_new(0);
    struct io_uring_sqe *entry = &uring.entries[1];
    uring_openat(&uring.entries[0], object);
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_CLOSE;
    entry->fd = next_number();
    uring_openat(&uring.entries[2], other);
    say(uring_run(&uring, 3, 3));
}
static void fixed_replaced(void) {
    write_text(other, "");
    actor();
    struct uring uring = with_places(0);
    uring_openat(&uring.entries[0], object);
    uring_openat(&uring.entries[1], other);
    uring.entries[0].file_index = uring.entries[1].file_index = 1;
    say(uring_run(&uring, 2, 2));
}

/* A worker opens it; the process has it, and puts another in its place, before it asks for the completion. */
static _Noreturn void worker_replaced_by(const char *path) {
    struct uring uring = uring_new(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    int number = next_number();
    uring_openat(&uring.entries[0], object);
    uring.entries[0].flags = IOSQE_ASYNC;
    __atomic_store_n(uring.submitted, 1, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 1, 0, 0, NULL, 0));
    while (fcntl(number, F_GETFD) < 0)
        usleep(100);
    close(number);
    if (open(path, O_RDONLY) != number)
        cannot("another file in its place");
    say(uring_run(&uring, 0, 1));
}
static void worker_replaced(void) {
    write_text(other, "");
    actor();
    worker_replaced_by(other);
}
/* What the sensor looks at too, and that is no credential of anybody else: a file among others that are, or, where a machine has no such one, the process's own. */
static const char OWN[] = "/proc/self/environ";
static const char *known(void) {
    static const char name[] = "/etc/hostname";
    return access(name, R_OK) == 0 ? name : OWN;
}
static void worker_replaced_labelled(void) { worker_replaced_by(known()); }
static void worker_replaced_environ(void) { worker_replaced_by(OWN); }

static void suppressed_replaced(void) {
    write_text(other, "");
    actor();
    struct uring uring = silently(0, 1, object);
    uring_openat(&uring.entries[1], other);
    uring.entries[1].file_index = 1;
    uring.entries[1].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    memset(&uring.entries[2], 0, sizeof uring.entries[2]);
    uring.entries[2].opcode = IORING_OP_NOP;
    say(uring_run(&uring, 3, 1));
}

/* The open and what follows it wait for a read, and run at once when that has ended, on some kernels the last first. OTHER is made. */
static void drained(const char *first, const char *last) {
    int data[2];
    char byte = 0;
    write_text(other, "");
    actor();
    must("pipe", pipe2(data, O_CLOEXEC));
    struct uring uring = uring_new(0);
    struct io_uring_sqe *entries = uring.entries;
    memset(entries, 0, 3 * sizeof *entries);
    waits(&entries[0], data[0], &byte);
    uring_openat(&entries[1], first);
    entries[1].flags = IOSQE_IO_DRAIN;
    entries[2].opcode = IORING_OP_CLOSE;
    entries[2].fd = next_number();
    uring_openat(&entries[3], last);
    __atomic_store_n(uring.submitted, 4, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 4, 0, 0, NULL, 0));
    must("write", write(data[1], &byte, 1));
    say(uring_run(&uring, 0, 4));
}
static void drained_replaced(void) { drained(object, other); }
static void drained_reversed(void) { drained(other, object); }

/* The descriptor of another file, which the sensor looks at too, is the only one that is left of what the call has opened. */
static void suppressed_replaced_labelled(void) {
    struct uring uring = uring_new(0);
    struct io_uring_sqe *entry = &uring.entries[1];
    int number = next_number();
    uring_openat(&uring.entries[0], object);
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_CLOSE;
    entry->fd = number;
    uring_openat(&uring.entries[2], known());
    for (int place = 0; place < 3; place++)
        uring.entries[place].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    memset(&uring.entries[3], 0, sizeof uring.entries[3]);
    uring.entries[3].opcode = IORING_OP_NOP;
    say(uring_run(&uring, 4, 1));
}

/* What is opened before it in the same chain gets an attribute. */
static _Noreturn void attribute_of_next(bool is_closed) {
    struct uring uring = silently(0, 1, object);
    struct io_uring_sqe *entry = &uring.entries[1];
    entry->opcode = FSETXATTR;
    entry->fd = 0;
    entry->addr = (uint64_t)(uintptr_t) "trusted.claviger";
    entry->addr2 = (uint64_t)(uintptr_t) "x";
    entry->len = 1;
    entry->flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK | IOSQE_FIXED_FILE;
    memset(&uring.entries[2], 0, 2 * sizeof uring.entries[2]);
    uring.entries[2].opcode = IORING_OP_NOP;
    if (is_closed) {
        uring.entries[2].opcode = IORING_OP_CLOSE;
        uring.entries[2].file_index = 1;
        uring.entries[2].flags = IOSQE_IO_LINK;
    }
    long result = uring_run(&uring, is_closed ? 4 : 3, 1);
    if (result < 0 && errno == ECANCELED)
        cannot("an attribute of a fixed file");
    say(result);
}
static void suppressed_fsetxattr(void) { attribute_of_next(false); }
static void suppressed_fsetxattr_closed(void) { attribute_of_next(true); }

/* A ring that has the decoy open, and nothing else has. */
static struct uring with_decoy(void) {
    int file = opened();
    struct uring uring = uring_new(0);
    must("fixed files", syscall(SYS_io_uring_register, uring.ring, IORING_REGISTER_FILES, &file, 1));
    close(file);
    return uring;
}

/* The program that execs is this one again, under the name of one that only says so. */
static void inherited_ring(void) {
    struct uring uring = with_decoy();
    must("keep the ring open", fcntl(uring.ring, F_SETFD, 0));
    actor();
    execl("/proc/self/exe", arguments[0], "inherited", NULL);
    cannot("execve");
}

static void received_ring(void) {
    int numbers[2], ring;
    pid_t child, owner = getpid();
    must("pipe", pipe2(numbers, O_CLOEXEC));
    if (!part(&child)) {
        ring = with_decoy().ring;
        must("write", write(numbers[1], &ring, sizeof ring));
        await(child);
    }
    must("read", read(numbers[0], &ring, sizeof ring));
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, owner, 0));
    target = owner;
    say(syscall(SYS_pidfd_getfd, process, ring, 0));
}

/* Puts the decoy into another's ring. */
static void put_decoy_into(int theirs) {
    struct uring uring = with_decoy();
    struct io_uring_sqe *entry = &uring.entries[0];
    memset(entry, 0, sizeof *entry);
    entry->opcode = MSG_RING;
    entry->fd = theirs;
    entry->addr = MSG_SEND_FD;
    entry->addr3 = 0;
    entry->file_index = 1;
    must("a message", uring_run(&uring, 1, 1));
}

/* The setup puts the decoy into the actor's ring. */
static void given_by_message(void) {
    int numbers[2], done[2], ring, answer = 0;
    pid_t child;
    must("pipe", pipe2(numbers, O_CLOEXEC));
    must("pipe", pipe2(done, O_CLOEXEC));
    if (part(&child)) {
        ring = with_places(0).ring;
        must("write", write(numbers[1], &ring, sizeof ring));
        must("read", read(done[0], &answer, sizeof answer));
        errno = answer;
        say(answer ? -1 : 0);
    }
    must("read", read(numbers[0], &ring, sizeof ring));
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, child, 0));
    int got = (int)must("pidfd_getfd", syscall(SYS_pidfd_getfd, process, ring, 0));
    // Under another number than the actor has it.
    int theirs = (int)must("dup", fcntl(got, F_DUPFD_CLOEXEC, FAR));
    close(got);
    put_decoy_into(theirs);
    close(theirs);
    must("write", write(done[1], &answer, sizeof answer));
    await(child);
}

/* The same, into a ring of which the actor has neither a descriptor nor a mapping any more. */
static void given_to_registered(void) {
    int numbers[2], has_it[2], closed[2], done[2], ring;
    char byte = 0;
    pid_t child;
    must("pipe", pipe2(numbers, O_CLOEXEC) | pipe2(has_it, O_CLOEXEC) | pipe2(closed, O_CLOEXEC) | pipe2(done, O_CLOEXEC));
    if (part(&child)) {
        int none[2] = {-1, -1};
        struct io_uring_params params = {0};
        ring = (int)must("io_uring", syscall(SYS_io_uring_setup, URING_ENTRIES, &params));
        must("fixed files", syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, none, 2));
        must("write", write(numbers[1], &ring, sizeof ring));
        must("read", read(has_it[0], &byte, 1));
        struct io_uring_rsrc_update place = {.offset = -1U, .data = (uint64_t)ring};
        must("a registered ring", syscall(SYS_io_uring_register, ring, REGISTER_RING_FDS, &place, 1));
        close(ring);
        must("write", write(closed[1], &byte, 1));
        must("read", read(done[0], &byte, 1));
        say(0);
    }
    must("read", read(numbers[0], &ring, sizeof ring));
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, child, 0));
    int theirs = (int)must("pidfd_getfd", syscall(SYS_pidfd_getfd, process, ring, 0));
    must("write", write(has_it[1], &byte, 1));
    must("read", read(closed[0], &byte, 1));
    put_decoy_into(theirs);
    close(theirs);
    must("write", write(done[1], &byte, 1));
    await(child);
}

const struct way ring_ways[] = {
    {"uring_fixed_file", fixed_file},
    {"uring_fixed_anywhere", fixed_anywhere},
    {"uring_fixed_symlink", fixed_symlink},
    {"uring_fixed_proc_cwd", fixed_proc_cwd},
    {"uring_fixed_chroot", fixed_chroot},
    {"uring_fixed_relative", fixed_relative},
    {"uring_fixed_long_path", fixed_long_path},
    {"uring_suppressed_fixed", suppressed_fixed},
    {"uring_suppressed_anywhere", suppressed_anywhere},
    {"uring_suppressed_symlink", suppressed_symlink},
    {"uring_suppressed_worker", suppressed_worker},
    {"uring_suppressed_sqpoll", suppressed_sqpoll},
    {"uring_suppressed_closed", suppressed_closed},
    {"uring_suppressed_closed_in_root", suppressed_closed_in_root},
    {"uring_suppressed_closed_symlink", suppressed_closed_symlink},
    {"uring_suppressed_closed_swapped", suppressed_closed_swapped},
    {"uring_suppressed_closed_relative", suppressed_closed_relative},
    {"uring_suppressed_closed_proc_cwd", suppressed_closed_proc_cwd},
    {"uring_suppressed_closed_mounts", suppressed_closed_mounts},
    {"uring_suppressed_closed_environ", suppressed_closed_environ},
    {"uring_suppressed_sqpoll_mem", suppressed_sqpoll_mem},
    {"uring_suppressed_closed_link", suppressed_closed_link},
    {"uring_suppressed_late", suppressed_late},
    {"uring_suppressed_late_back", suppressed_late_back},
    {"uring_suppressed_never", suppressed_never},
    {"uring_cancelled", cancelled},
    {"uring_replaced", replaced},
    {"uring_fixed_replaced", fixed_replaced},
    {"uring_worker_replaced", worker_replaced},
    {"uring_worker_replaced_labelled", worker_replaced_labelled},
    {"uring_worker_replaced_environ", worker_replaced_environ},
    {"uring_drained_replaced", drained_replaced},
    {"uring_drained_reversed", drained_reversed},
    {"uring_suppressed_replaced", suppressed_replaced},
    {"uring_suppressed_replaced_labelled", suppressed_replaced_labelled},
    {"uring_suppressed_fsetxattr", suppressed_fsetxattr},
    {"uring_suppressed_fsetxattr_closed", suppressed_fsetxattr_closed},
    {"ring_inherited", inherited_ring},
    {"ring_received", received_ring},
    {"ring_message", given_by_message},
    {"ring_registered", given_to_registered},
    {0},
};
