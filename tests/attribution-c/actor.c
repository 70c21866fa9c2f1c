/*
 * `actor WHAT PATH [MORE]…` reads a decoy at PATH in a way that makes it hard to say who did. It is also an interpreter (`#!actor interpret`), a
 * program of many names (called `cat`), and whatever else a test calls a copy of it: what it does not know it takes for `read`.
 *
 * It ends with 0 when it has read what it was to read, and says why not otherwise.
 *
 * In C, for the system calls that it is about; static, so that it starts fast and anywhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what) {
    perror(what);
    _exit(1);
}

static void read_it(const char *path) {
    char text[64];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text) <= 0)
        fail(path);
    close(file);
}

static void ended_well(pid_t child) {
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        fail("a child");
}

/* Starts this program anew, as `actor read PATH`. */
static pid_t started(const char *path) {
    char *const arguments[] = {"actor", "read", (char *)path, NULL};
    pid_t child;
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) != 0)
        fail("posix_spawn");
    return child;
}

static void *in_thread(void *path) {
    prctl(PR_SET_NAME, "worker");
    read_it(path);
    return NULL;
}

/* As setproctitle: over the arguments, where everybody looks for them. */
static void call_itself(char **values, const char *name) {
    prctl(PR_SET_NAME, name);
    for (char **value = values; *value; value++)
        memset(*value, 0, strlen(*value));
    memcpy(values[0], name, strlen(name) < 4 ? strlen(name) : 4);
}

/* One whose parent has ended is another's child. */
static void orphan(const char *path) {
    pid_t child = fork();
    if (child == 0) {
        pid_t creator = getpid();
        setsid();
        if (fork() != 0)
            _exit(0);
        while (getppid() == creator)
            usleep(1000);
        read_it(path);
        _exit(0);
    }
    ended_well(child);
}

static void from_memory(const char *path) {
    char bytes[1 << 16];
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = memfd_create("harmless", MFD_CLOEXEC);
    for (ssize_t got; (got = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, (size_t)got) != got)
            fail("memfd");
    char *const arguments[] = {"/usr/bin/harmless", "read", (char *)path, NULL};
    fexecve(to, arguments, environ);
    fail("fexecve");
}

/* An overlay in a mount namespace of its own: a program of its image, and one that is added. */
static void in_overlay(const char *path, const char *place) {
    char options[4096], program[4096];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", place, "tmpfs", 0, NULL) != 0 || chdir(place) != 0)
        fail("a mount namespace");
    for (const char *const *name = (const char *const[]){"image", "upper", "work", "root", NULL}; *name; name++)
        if (mkdir(*name, 0755) != 0)
            fail(*name);
    int from = open("/proc/self/exe", O_RDONLY);
    struct stat stat;
    fstat(from, &stat);
    int to = open("image/of-the-image", O_WRONLY | O_CREAT, 0755);
    for (off_t left = stat.st_size; left > 0;) {
        char bytes[1 << 16];
        ssize_t got = read(from, bytes, sizeof bytes);
        if (got <= 0 || write(to, bytes, (size_t)got) != got)
            fail("a copy");
        left -= got;
    }
    close(to);
    snprintf(options, sizeof options, "lowerdir=image,upperdir=upper,workdir=work");
    if (mount("overlay", "root", "overlay", 0, options) != 0)
        fail("mount overlay");
    for (const char *const *name = (const char *const[]){"of-the-image", "added", NULL}; *name; name++) {
        snprintf(program, sizeof program, "root/%s", *name);
        if (strcmp(*name, "added") == 0) {
            /* A copy made in the overlay lies in its upper layer. */
            int in = open("root/of-the-image", O_RDONLY), out = open(program, O_WRONLY | O_CREAT, 0755);
            char bytes[1 << 16];
            for (ssize_t got; (got = read(in, bytes, sizeof bytes)) > 0;)
                if (write(out, bytes, (size_t)got) != got)
                    fail("a copy");
            close(in);
            close(out);
        }
        pid_t child = fork();
        if (child == 0) {
            execl(program, program, "read", path, NULL);
            fail(program);
        }
        ended_well(child);
    }
}

/* Another process's directory over the own in /proc, where everybody looks. With a line on standard input it goes on. */
static void behind_another(const char *path, int waits) {
    char own[64];
    snprintf(own, sizeof own, "/proc/%d", getpid());
    if (mount("/proc/1", own, NULL, MS_BIND, NULL) != 0)
        fail("mount");
    if (waits) {
        puts("hidden");
        fflush(stdout);
        if (getchar() == EOF)
            fail("standard input");
    }
    read_it(path);
    if (umount2(own, MNT_DETACH) != 0)
        fail("umount");
}

/* Field `number` of /proc/self/stat, as proc(5) counts them. */
static unsigned long fact(int number) {
    char text[2048] = {0};
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0)
        fail("/proc/self/stat");
    close(file);
    char *field = strrchr(text, ')') + 1;
    for (int at = 3; at < number; at++)
        field = strchr(field + 1, ' ');
    return strtoul(field, NULL, 10);
}

/* Puts a copy in memory in the place of each part of this program that is mapped from its file. */
static void forget_own_file(void) {
    static char text[16384];
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    for (ssize_t got; length < sizeof text - 1 && (got = read(file, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    close(file);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long begin, end;
        char rights[8];
        if (!strchr(line, '/') || sscanf(line, "%lx-%lx %7s", &begin, &end, rights) != 3)
            continue;
        int protection = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) | (rights[2] == 'x' ? PROT_EXEC : 0);
        void *copy = mmap(NULL, end - begin, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (copy == MAP_FAILED)
            fail("mmap");
        memcpy(copy, (void *)begin, end - begin);
        if (mprotect(copy, end - begin, protection) != 0 ||
            mremap(copy, end - begin, end - begin, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)begin) == MAP_FAILED)
            fail("mremap");
    }
}

/* Sets another file as its executable. */
static void pretend_to_be(const char *path) {
    forget_own_file();
    struct prctl_mm_map map = {
        .start_code = fact(26),
        .end_code = fact(27),
        .start_data = fact(45),
        .end_data = fact(46),
        .start_brk = fact(47),
        .brk = (unsigned long)sbrk(0),
        .start_stack = fact(28),
        .arg_start = fact(48),
        .arg_end = fact(49),
        .env_start = fact(50),
        .env_end = fact(51),
        .exe_fd = (uint32_t)open(path, O_RDONLY | O_CLOEXEC),
    };
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) != 0)
        fail("PR_SET_MM_MAP");
}

int main(int count, char **values) {
    const char *called = strrchr(values[0], '/');
    called = called ? called + 1 : values[0];
    if (strcmp(called, "cat") == 0 && count > 1) {
        read_it(values[1]);
        return 0;
    }
    if (count < 3)
        return 2;
    const char *what = values[1];
    char *path = values[2];
    if (strcmp(what, "interpret") == 0) {
        /* The kernel puts the script before what it was given. */
        read_it(values[3]);
    } else if (strcmp(what, "many") == 0) {
        for (int left = atoi(values[3]); left > 0; left--)
            ended_well(started(path));
    } else if (strcmp(what, "spawn") == 0) {
        ended_well(started(path));
    } else if (strcmp(what, "vfork") == 0) {
        pid_t child = vfork();
        if (child == 0) {
            execl("/proc/self/exe", "actor", "read", path, NULL);
            _exit(1);
        }
        ended_well(child);
    } else if (strcmp(what, "fork") == 0) {
        pid_t child = fork();
        if (child == 0) {
            read_it(path);
            _exit(0);
        }
        ended_well(child);
    } else if (strcmp(what, "thread") == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, in_thread, path) != 0 || pthread_join(thread, NULL) != 0)
            fail("a thread");
    } else if (strcmp(what, "renamed") == 0) {
        char *kept = strdup(path);
        call_itself(values, "[kworker/0:1]");
        read_it(kept);
    } else if (strcmp(what, "pretends") == 0) {
        pretend_to_be(values[3]);
        read_it(path);
    } else if (strcmp(what, "orphan") == 0) {
        orphan(path);
    } else if (strcmp(what, "memfd") == 0) {
        from_memory(path);
    } else if (strcmp(what, "deleted") == 0) {
        if (unlink(values[0]) != 0)
            fail(values[0]);
        read_it(path);
    } else if (strcmp(what, "then") == 0) {
        read_it(path);
        read_it(path);
        execl(values[3], values[3], "read", values[4], NULL);
        fail(values[3]);
    } else if (strcmp(what, "overlay") == 0) {
        in_overlay(path, values[3]);
    } else if (strcmp(what, "hidden") == 0 || strcmp(what, "hidden-waits") == 0) {
        behind_another(path, what[6] != 0);
    } else {
        read_it(path);
    }
    return 0;
}
