/* Opens by io_uring: at once, by a worker thread, by the thread that polls, with the completion suppressed. Into fixed files: rings.c. */
#include "uring.h"

#include <linux/openat2.h>
#include <sys/mman.h>

#ifndef IOSQE_CQE_SKIP_SUCCESS
#define IOSQE_CQE_SKIP_SUCCESS (1U << 6)
#endif
/* More than eight, and no more than a ring has room for the completions of, which is two for each entry. */
enum { MANY = 9 };

static void *map(int ring, size_t length, off_t offset) {
    void *place = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, offset);
    if (place == MAP_FAILED)
        cannot("mmap of the io_uring");
    return place;
}

struct uring uring_new(unsigned flags) {
    struct io_uring_params params = {.flags = flags, .sq_thread_idle = 2000};
    int ring = (int)must("io_uring", syscall(SYS_io_uring_setup, URING_ENTRIES, &params));
    size_t submit_length = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t done_length = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    char *submit = map(ring, submit_length, IORING_OFF_SQ_RING);
    char *done = map(ring, done_length, IORING_OFF_CQ_RING);
    unsigned *order = (unsigned *)(submit + params.sq_off.array);
    for (unsigned place = 0; place < URING_ENTRIES; place++)
        order[place] = place;
    return (struct uring){
        .ring = ring,
        .flags = flags,
        .submitted = (unsigned *)(submit + params.sq_off.tail),
        .submit_flags = (unsigned *)(submit + params.sq_off.flags),
        .done_head = (unsigned *)(done + params.cq_off.head),
        .done_tail = (unsigned *)(done + params.cq_off.tail),
        .done_mask = (unsigned *)(done + params.cq_off.ring_mask),
        .entries = map(ring, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES),
        .completions = (struct io_uring_cqe *)(done + params.cq_off.cqes),
    };
}

void uring_openat(struct io_uring_sqe *entry, const char *path) {
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_OPENAT;
    entry->fd = AT_FDCWD;
    entry->addr = (uint64_t)(uintptr_t)path;
    entry->open_flags = O_RDONLY;
}

long uring_run(struct uring *uring, unsigned count, unsigned wait) {
    __atomic_store_n(uring->submitted, *uring->submitted + count, __ATOMIC_RELEASE);
    unsigned flags = wait ? IORING_ENTER_GETEVENTS : 0;
    if (uring->flags & IORING_SETUP_SQPOLL) {
        count = 0;
        if (__atomic_load_n(uring->submit_flags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
            flags |= IORING_ENTER_SQ_WAKEUP;
    }
    long entered = syscall(SYS_io_uring_enter, uring->ring, count, wait, flags, NULL, 0);
    must("io_uring_enter", entered);
    unsigned tail = __atomic_load_n(uring->done_tail, __ATOMIC_ACQUIRE);
    if (tail == *uring->done_head) {
        errno = ETIME;
        cannot("a completion");
    }
    int result = uring->completions[(tail - 1) & *uring->done_mask].res;
    __atomic_store_n(uring->done_head, tail, __ATOMIC_RELEASE);
    errno = result < 0 ? -result : 0;
    return result < 0 ? -1 : result;
}

static _Noreturn void open_with(unsigned setup, unsigned entry_flags) {
    struct uring uring = uring_new(setup);
    uring_openat(&uring.entries[0], object);
    uring.entries[0].flags = (uint8_t)entry_flags;
    say(uring_run(&uring, 1, 1));
}

static void submit_one(struct uring *uring) {
    __atomic_store_n(uring->submitted, *uring->submitted + 1, __ATOMIC_RELEASE);
    must("io_uring_enter", syscall(SYS_io_uring_enter, uring->ring, 1, 0, 0, NULL, 0));
}

/* The completion finds no room, for nobody has taken those before it. */
static _Noreturn void overflowing(unsigned entry_flags) {
    struct uring uring = uring_new(0);
    for (unsigned count = 0; count <= *uring.done_mask; count++) {
        struct io_uring_sqe *entry = &uring.entries[*uring.submitted % URING_ENTRIES];
        memset(entry, 0, sizeof *entry);
        entry->opcode = IORING_OP_NOP;
        submit_one(&uring);
    }
    struct io_uring_sqe *entry = &uring.entries[*uring.submitted % URING_ENTRIES];
    uring_openat(entry, object);
    entry->flags = (uint8_t)entry_flags;
    submit_one(&uring);
    for (int waited = 0; !(__atomic_load_n(uring.submit_flags, __ATOMIC_ACQUIRE) & IORING_SQ_CQ_OVERFLOW); waited++) {
        if (waited == 5000) {
            errno = ETIME;
            cannot("a completion without room");
        }
        usleep(1000);
    }
    __atomic_store_n(uring.done_head, *uring.done_tail, __ATOMIC_RELEASE);
    say(uring_run(&uring, 0, 1));
}

/* More are under way than are told apart, all called the same; the decoy comes last. OTHER is made. */
static void many_of_one_name(void) {
    write_text(other, "");
    actor();
    struct uring uring = uring_new(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    for (int count = 0; count < MANY; count++) {
        struct io_uring_sqe *entry = &uring.entries[*uring.submitted % URING_ENTRIES];
        uring_openat(entry, count + 1 < MANY ? other : object);
        entry->flags = IOSQE_ASYNC;
        submit_one(&uring);
    }
    say(uring_run(&uring, 0, MANY));
}
/* A worker opens it, and the completion comes when the process asks for it: both the file and the path are looked at then. */
static void deferred(void) { open_with(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IOSQE_ASYNC); }

static void way_openat(void) { open_with(0, 0); }
static void overflow(void) { overflowing(0); }
static void overflow_by_worker(void) { overflowing(IOSQE_ASYNC); }
static void denied_overflow(void) {
    nobody();
    overflowing(0);
}


/* By one who may do nothing, with the ids of one who may, which the ring was given before. */
static void personality(void) {
    struct uring uring = uring_new(0);
    long ids = must("ids for the io_uring", syscall(SYS_io_uring_register, uring.ring, IORING_REGISTER_PERSONALITY, NULL, 0));
    nobody();
    uring_openat(&uring.entries[0], object);
    uring.entries[0].personality = (uint16_t)ids;
    say(uring_run(&uring, 1, 1));
}

static void by_worker(void) { open_with(0, IOSQE_ASYNC); }
static void by_poll_thread(void) { open_with(IORING_SETUP_SQPOLL, 0); }

static void denied_openat(void) {
    nobody();
    open_with(0, 0);
}
static void denied_by_worker(void) {
    nobody();
    open_with(0, IOSQE_ASYNC);
}

static void way_openat2(void) {
    struct open_how how = {.flags = O_RDONLY};
    struct uring uring = uring_new(0);
    uring_openat(&uring.entries[0], object);
    uring.entries[0].opcode = IORING_OP_OPENAT2;
    uring.entries[0].open_flags = 0;
    uring.entries[0].len = sizeof how;
    uring.entries[0].off = (uint64_t)(uintptr_t)&how;
    say(uring_run(&uring, 1, 1));
}

/* An entry that does nothing follows it, linked: its completion tells that the first has succeeded. */
static void suppressed(void) {
    struct uring uring = uring_new(0);
    uring_openat(&uring.entries[0], object);
    uring.entries[0].flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    memset(&uring.entries[1], 0, sizeof uring.entries[1]);
    uring.entries[1].opcode = IORING_OP_NOP;
    say(uring_run(&uring, 2, 1));
}

/* The changes that io_uring makes of names. */
static _Noreturn void change(uint8_t operation, const char *first, const char *second) {
    struct uring uring = uring_new(0);
    struct io_uring_sqe *entry = &uring.entries[0];
    memset(entry, 0, sizeof *entry);
    entry->opcode = operation;
    entry->fd = AT_FDCWD;
    entry->addr = (uint64_t)(uintptr_t)first;
    entry->addr2 = (uint64_t)(uintptr_t)second;
    // The second directory, where the operation has one.
    entry->len = second && operation != IORING_OP_SYMLINKAT ? (uint32_t)AT_FDCWD : 0;
    say(uring_run(&uring, 1, 1));
}

static void way_unlinkat(void) { change(IORING_OP_UNLINKAT, object, NULL); }
static void rename_directory(void) { change(IORING_OP_RENAMEAT, directory_of(object), other); }
static void way_renameat(void) { change(IORING_OP_RENAMEAT, object, other); }
static void chroot_renameat(void) {
    from_chroot();
    change(IORING_OP_RENAMEAT, object, joined("", name_of(object)));
}
static void way_linkat(void) { change(IORING_OP_LINKAT, object, other); }
static void way_symlinkat(void) { change(IORING_OP_SYMLINKAT, object, other); }

static const char ATTRIBUTE[] = "trusted.claviger";
enum { OP_FSETXATTR = 41, OP_SETXATTR = 42, OP_FTRUNCATE = 55 };

static void way_setxattr(void) {
    struct uring uring = uring_new(0);
    struct io_uring_sqe *entry = &uring.entries[0];
    memset(entry, 0, sizeof *entry);
    entry->opcode = OP_SETXATTR;
    entry->addr = (uint64_t)(uintptr_t)ATTRIBUTE;
    entry->addr2 = (uint64_t)(uintptr_t) "x";
    entry->addr3 = (uint64_t)(uintptr_t)object;
    entry->len = 1;
    say(uring_run(&uring, 1, 1));
}
static void denied_setxattr(void) {
    nobody();
    way_setxattr();
}

static int for_writing(void) { return (int)must("open for writing", open(object, O_WRONLY | O_CLOEXEC)); }

static _Noreturn void set_attribute_of(int file) {
    struct uring uring = uring_new(0);
    struct io_uring_sqe *entry = &uring.entries[0];
    memset(entry, 0, sizeof *entry);
    entry->opcode = OP_FSETXATTR;
    entry->fd = file;
    entry->addr = (uint64_t)(uintptr_t)ATTRIBUTE;
    entry->addr2 = (uint64_t)(uintptr_t) "x";
    entry->len = 1;
    say(uring_run(&uring, 1, 1));
}
static void way_fsetxattr(void) {
    int file = for_writing();
    actor();
    set_attribute_of(file);
}
static void denied_fsetxattr(void) {
    int file = for_writing();
    actor();
    nobody();
    set_attribute_of(file);
}

static void way_ftruncate(void) {
    int file = for_writing();
    actor();
    struct uring uring = uring_new(0);
    struct io_uring_sqe *entry = &uring.entries[0];
    memset(entry, 0, sizeof *entry);
    entry->opcode = OP_FTRUNCATE;
    entry->fd = file;
    entry->off = 3;
    if (uring_run(&uring, 1, 1) < 0) {
        if (errno == EINVAL)
            cannot("a truncation by io_uring");
        say(-1);
    }
    say(0);
}

/* Refused, for the directory of the decoy is not the actor's. */
static void denied_renameat(void) {
    nobody();
    way_renameat();
}
static void denied_unlinkat(void) {
    nobody();
    way_unlinkat();
}
static void denied_linkat(void) {
    nobody();
    way_linkat();
}
/* A link where a credential would lie. */
static void denied_symlinkat(void) {
    nobody();
    change(IORING_OP_SYMLINKAT, other, object);
}

const struct way uring_ways[] = {
    {"uring_openat", way_openat},
    {"uring_personality", personality},
    {"uring_openat2", way_openat2},
    {"uring_worker", by_worker},
    {"uring_sqpoll", by_poll_thread},
    {"uring_suppressed", suppressed},
    {"uring_worker_deferred", deferred},
    {"uring_many", many_of_one_name},
    {"uring_overflow", overflow},
    {"uring_overflow_worker", overflow_by_worker},
    {"denied_uring_overflow", denied_overflow},
    {"uring_setxattr", way_setxattr},
    {"uring_fsetxattr", way_fsetxattr},
    {"uring_ftruncate", way_ftruncate},
    {"denied_uring_setxattr", denied_setxattr},
    {"denied_uring_fsetxattr", denied_fsetxattr},
    {"uring_unlinkat", way_unlinkat},
    {"uring_renameat", way_renameat},
    {"uring_chroot_renameat", chroot_renameat},
    {"uring_rename_directory", rename_directory},
    {"uring_linkat", way_linkat},
    {"uring_symlinkat", way_symlinkat},
    {"denied_uring_renameat", denied_renameat},
    {"denied_uring_unlinkat", denied_unlinkat},
    {"denied_uring_linkat", denied_linkat},
    {"denied_uring_symlinkat", denied_symlinkat},
    {"denied_uring_openat", denied_openat},
    {"denied_uring_worker", denied_by_worker},
    {0},
};
