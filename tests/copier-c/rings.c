/* The file is open in an io_uring and has no descriptor. */
#include "copier.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef IORING_FILE_INDEX_ALLOC
#define IORING_FILE_INDEX_ALLOC (~0U)
#endif
#ifndef IOSQE_CQE_SKIP_SUCCESS
#define IOSQE_CQE_SKIP_SUCCESS (1U << 6)
#endif

enum { ENTRIES = 4, PLACE = 1 };

static int ring;
static unsigned *submitted, *seen, *done;
static struct io_uring_sqe *entries;
static struct io_uring_cqe *completions;

static void *mapped(size_t bytes, off_t what) {
    void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
    if (place == MAP_FAILED)
        fail("mmap of a ring");
    return place;
}

/* Two places for files, both free. */
static void make_ring(void) {
    struct io_uring_params at = {0};
    int none[2] = {-1, -1};
    ring = checked(syscall(SYS_io_uring_setup, ENTRIES, &at), "io_uring_setup");
    char *queue = mapped(at.sq_off.array + at.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    char *results = mapped(at.cq_off.cqes + at.cq_entries * sizeof *completions, IORING_OFF_CQ_RING);
    entries = mapped(at.sq_entries * sizeof *entries, IORING_OFF_SQES);
    submitted = (unsigned *)(queue + at.sq_off.tail);
    seen = (unsigned *)(results + at.cq_off.head);
    done = (unsigned *)(results + at.cq_off.tail);
    completions = (struct io_uring_cqe *)(results + at.cq_off.cqes);
    for (unsigned i = 0; i < at.sq_entries; i++)
        ((unsigned *)(queue + at.sq_off.array))[i] = i;
    checked(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, none, 2), "places for files");
}

/* Entries begin at the first again with each submission of `ENTRIES`: what is left over does nothing. */
static void submit(unsigned count, int completes) {
    for (unsigned i = count; i < ENTRIES; i++) {
        memset(&entries[i], 0, sizeof entries[i]);
        entries[i].opcode = IORING_OP_NOP;
    }
    unsigned before = *seen;
    __atomic_store_n(submitted, *submitted + ENTRIES, __ATOMIC_RELEASE);
    unsigned results = completes ? ENTRIES : ENTRIES - count;
    checked(syscall(SYS_io_uring_enter, ring, ENTRIES, results, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
    for (unsigned i = before; i < before + results; i++)
        if (completions[i % (2 * ENTRIES)].res < 0) {
            errno = -completions[i % (2 * ENTRIES)].res;
            fail("a ring's call");
        }
    if (__atomic_load_n(done, __ATOMIC_ACQUIRE) != before + results)
        fail("another number of results");
    __atomic_store_n(seen, before + results, __ATOMIC_RELEASE);
}

static void opens(const char *to, unsigned place, int completes) {
    memset(&entries[0], 0, sizeof entries[0]);
    entries[0].opcode = IORING_OP_OPENAT;
    entries[0].fd = AT_FDCWD;
    entries[0].addr = (unsigned long)to;
    entries[0].open_flags = O_WRONLY | O_CREAT | O_EXCL;
    entries[0].len = 0600;
    entries[0].file_index = place;
    /* What makes a file is handed to a worker: the next entry begins when that is done. */
    entries[0].flags = completes ? 0 : IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    submit(1, completes);
}

static void writes(unsigned place) {
    memset(&entries[0], 0, sizeof entries[0]);
    entries[0].opcode = IORING_OP_WRITE;
    entries[0].fd = (int)place;
    entries[0].flags = IOSQE_FIXED_FILE;
    entries[0].addr = (unsigned long)content;
    entries[0].len = (unsigned)length;
    submit(1, 1);
}

static void before_reading(const char *from, const char *to) {
    make_ring();
    opens(to, PLACE + 1, 1);
    take(from);
    writes(PLACE);
    said_and_waited();
}

static void after_reading(const char *from, const char *to) {
    make_ring();
    take(from);
    opens(to, PLACE + 1, 1);
    writes(PLACE);
    said_and_waited();
}

/* Nothing tells where it is, nor that it succeeded. */
static void anywhere(const char *from, const char *to) {
    make_ring();
    take(from);
    opens(to, IORING_FILE_INDEX_ALLOC, 0);
    writes(0);
    said_and_waited();
}

/* By the buffer that the ring knows. */
static void fixed_buffer(const char *from, const char *to) {
    struct iovec buffer = {content, sizeof content};
    make_ring();
    checked(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1), "a buffer");
    opens(to, PLACE + 1, 1);
    take(from);
    memset(&entries[0], 0, sizeof entries[0]);
    entries[0].opcode = IORING_OP_WRITE_FIXED;
    entries[0].fd = PLACE;
    entries[0].flags = IOSQE_FIXED_FILE;
    entries[0].addr = (unsigned long)content;
    entries[0].len = (unsigned)length;
    submit(1, 1);
    said_and_waited();
}

const struct way ring_ways[] = {
    {"ring-before", before_reading},
    {"ring-after", after_reading},
    {"ring-anywhere", anywhere},
    {"ring-buffer", fixed_buffer},
    {0},
};
