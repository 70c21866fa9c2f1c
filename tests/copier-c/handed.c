/* The one that reads hands the content to another process, which was there before and has read nothing. That one writes it. */
#include "copier.h"

#include <sys/mman.h>
#include <sys/uio.h>

static int ends[2];

/* A process that waits for the content, by `get`, and writes it. */
static pid_t writer(const char *to, void (*get)(void)) {
    pid_t child = checked(fork(), "fork");
    if (child == 0) {
        get();
        if (length <= 0)
            fail("nothing came");
        put(made(to));
        _exit(0);
    }
    return child;
}

static int pipes[2];

static void from_pipe(void) { length = read(pipes[0], content, sizeof content); }

static void by_pipe(const char *from, const char *to) {
    checked(pipe2(pipes, O_CLOEXEC), "pipe");
    pid_t child = writer(to, from_pipe);
    take(from);
    if (write(pipes[1], content, length) != length)
        fail("write");
    ended(child);
    said_and_waited();
}

static void from_socket(void) { length = recv(ends[1], content, sizeof content, 0); }

static void by_socket(const char *from, const char *to) {
    connected(ends);
    pid_t child = writer(to, from_socket);
    take(from);
    if (send(ends[0], content, length, 0) != length)
        fail("send");
    ended(child);
    said_and_waited();
}

static char *segment;

static void from_segment(void) {
    await(ends[1]);
    memcpy(&length, segment, sizeof length);
    memcpy(content, segment + sizeof length, length);
}

static void by_segment(const char *from, const char *to) {
    connected(ends);
    segment = mmap(NULL, 2 * sizeof content, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (segment == MAP_FAILED)
        fail("mmap");
    pid_t child = writer(to, from_segment);
    take(from);
    memcpy(segment, &length, sizeof length);
    memcpy(segment + sizeof length, content, length);
    let(ends[0]);
    ended(child);
    said_and_waited();
}

static void from_nowhere(void) { await(ends[1]); }

static void by_injection(const char *from, const char *to) {
    connected(ends);
    pid_t child = writer(to, from_nowhere);
    take(from);
    struct iovec parts[] = {{content, length}, {&length, sizeof length}};
    /* It has the same memory at the same addresses. */
    checked(process_vm_writev(child, parts, 2, parts, 2, 0), "process_vm_writev");
    let(ends[0]);
    ended(child);
    said_and_waited();
}

const struct way handed_ways[] = {
    {"pipe", by_pipe}, {"socket", by_socket}, {"segment", by_segment}, {"injected", by_injection}, {0},
};
