/* 32-bit system calls: by `int $0x80` from this 64-bit program, and by a 32-bit program, whose path is OTHER. */
#include "ways.h"

#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* Numbers of the 32-bit table. */
enum { OPEN = 5, OPENAT = 295, OPENAT2 = 437 };

#ifdef __x86_64__
/* The kernel takes the lower half of each register: what they point to must lie there. */
static void *low(const void *bytes, size_t length) {
    void *place = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (place == MAP_FAILED)
        cannot("mmap below 4 GiB");
    return memcpy(place, bytes, length);
}

static long int80(long number, long first, const void *second, long third, long fourth) {
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth)
                     : "memory", "r8", "r9", "r10", "r11");
    result = (int)result;
    if (result == -ENOSYS) {
        errno = ENOSYS;
        cannot("int $0x80");
    }
    errno = (int)-result;
    return result < 0 ? -1 : result;
}

static long path_below(void) { return (long)low(object, strlen(object) + 1); }
static long open32(void) { return int80(OPEN, path_below(), (void *)O_RDONLY, 0, 0); }

static void int80_open(void) { say(open32()); }
static void int80_openat(void) { say(int80(OPENAT, AT_FDCWD, (void *)path_below(), O_RDONLY, 0)); }
static void int80_openat2(void) {
    struct open_how how = {.flags = O_RDONLY};
    say(int80(OPENAT2, AT_FDCWD, (void *)path_below(), (long)low(&how, sizeof how), sizeof how));
}
static void denied_int80_open(void) {
    nobody();
    say(open32());
}
#else
static void no_such_entry(void) {
    errno = ENOSYS;
    cannot("32-bit entry of x86");
}
#define int80_open no_such_entry
#define int80_openat no_such_entry
#define int80_openat2 no_such_entry
#define denied_int80_open no_such_entry
#endif

/* The 32-bit program has no library to speak with: its exit status is the errno, and its parent says it. */
static _Noreturn void program32(const char *call) {
    pid_t child;
    int status;
    must("a 32-bit compiler", access(other, X_OK));
    if (part(&child)) {
        execl(other, other, call, object, NULL);
        _exit(255);
    }
    must("wait", waitpid(child, &status, 0));
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 255) {
        errno = ENOEXEC;
        cannot("a 32-bit program");
    }
    say_for(child, WEXITSTATUS(status));
}

static void program32_open(void) { program32("o"); }
static void program32_openat(void) { program32("a"); }
static void program32_openat2(void) { program32("2"); }

const struct way compat_ways[] = {
    {"int80_open", int80_open},
    {"int80_openat", int80_openat},
    {"int80_openat2", int80_openat2},
    {"denied_int80_open", denied_int80_open},
    {"program32_open", program32_open},
    {"program32_openat", program32_openat},
    {"program32_openat2", program32_openat2},
    {0},
};
