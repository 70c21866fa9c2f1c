/* Other calls than write(2) by which a content comes into a file. */
#include "copier.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

static int in, out;
static size_t bytes;

static void both(const char *from, const char *to) {
    struct stat about;
    in = checked(open(from, O_RDONLY | O_CLOEXEC), from);
    checked(fstat(in, &about), "fstat");
    bytes = about.st_size;
    out = made(to);
}

static void all(ssize_t moved, const char *what) {
    if (moved != (ssize_t)bytes)
        fail(what);
}

static void spliced(const char *from, const char *to) {
    int pipes[2];
    checked(pipe2(pipes, O_CLOEXEC), "pipe");
    both(from, to);
    all(splice(in, NULL, pipes[1], NULL, bytes, 0), "splice into a pipe");
    all(splice(pipes[0], NULL, out, NULL, bytes, 0), "splice out of a pipe");
    said_and_waited();
}

static void sent(const char *from, const char *to) {
    both(from, to);
    all(sendfile(out, in, NULL, bytes), "sendfile");
    said_and_waited();
}

static void ranged(const char *from, const char *to) {
    both(from, to);
    all(copy_file_range(in, NULL, out, NULL, bytes, 0), "copy_file_range");
    said_and_waited();
}

static void written_at(const char *from, const char *to) {
    both(from, to);
    take_from(in);
    struct iovec data = {content, bytes};
    all(pwritev2(out, &data, 1, 0, RWF_DSYNC), "pwritev2");
    said_and_waited();
}

/* Stored once the file is closed. */
static void mapped(const char *from, const char *to) {
    both(from, to);
    checked(ftruncate(out, bytes), "ftruncate");
    char *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
    if (place == MAP_FAILED)
        fail("mmap");
    close(out);
    take_from(in);
    memcpy(place, content, bytes);
    said_and_waited();
}

/* Where the file system can. */
static void reflinked(const char *from, const char *to) {
    both(from, to);
    checked(ioctl(out, FICLONE, in), "FICLONE");
    said_and_waited();
}

const struct way transfer_ways[] = {
    {"spliced", spliced},       {"sent", sent},     {"ranged", ranged}, {"written-at", written_at},
    {"mapped", mapped},         {"reflinked", reflinked}, {0},
};
