/* The sensor held still, starved or changed, in forms that change nothing, or are undone when the actor has ended. OBJECT is its pid. */
#include "ways.h"

#include <dirent.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

static pid_t sensor(void) {
    target = atol(object);
    return (pid_t)target;
}

static const char *of_sensor(const char *name) {
    char *path;
    if (asprintf(&path, "/proc/%d/%s", sensor(), name) < 0)
        abort();
    return path;
}

/* The limit that it has. */
static void limit_of(pid_t thread) {
    struct rlimit limit;
    must("the limit", syscall(SYS_prlimit64, thread, RLIMIT_NOFILE, NULL, &limit));
    say(syscall(SYS_prlimit64, thread, RLIMIT_NOFILE, &limit, NULL));
}
static void limit(void) { limit_of(sensor()); }

/* A thread of it stands for all of it. */
static pid_t thread_of_sensor(void) {
    pid_t thread = 0;
    DIR *threads = opendir(of_sensor("task"));
    for (struct dirent *entry; threads && (entry = readdir(threads));)
        if (atoi(entry->d_name) > sensor())
            thread = atoi(entry->d_name);
    if (thread == 0) {
        errno = ESRCH;
        cannot("a thread");
    }
    return thread;
}
static void limit_of_thread(void) { limit_of(thread_of_sensor()); }

static void denied_limit(void) {
    struct rlimit limit = {1024, 1024};
    nobody();
    say(syscall(SYS_prlimit64, sensor(), RLIMIT_NOFILE, &limit, NULL));
}

/* The CPUs that it has, and the priority. */
static void affinity(void) {
    cpu_set_t cpus;
    must("its CPUs", sched_getaffinity(sensor(), sizeof cpus, &cpus));
    say(syscall(SYS_sched_setaffinity, sensor(), sizeof cpus, &cpus));
}
static void priority(void) {
    int now = getpriority(PRIO_PROCESS, (id_t)sensor());
    say(syscall(SYS_setpriority, PRIO_PROCESS, sensor(), now));
}

/* Of all of its group, the one that it has. */
static void priority_of_group(void) {
    int now = getpriority(PRIO_PROCESS, (id_t)sensor());
    say(syscall(SYS_setpriority, PRIO_PGRP, must("its group", getpgid(sensor())), now));
}

/* Of all of its user, by one who may not. */
static void denied_priority_of_user(void) {
    must("setresuid", syscall(SYS_setresuid, -1, 65534, -1));
    say(syscall(SYS_setpriority, PRIO_USER, 0, 0));
}

/* The kernel takes the lower half of what it is given. */
static void priority_wide(void) {
    int now = getpriority(PRIO_PROCESS, (id_t)sensor());
    say(syscall(SYS_setpriority, (1L << 32) | PRIO_PROCESS, sensor(), now));
}

static void io_priority_wide(void) { say(syscall(SYS_ioprio_set, (1L << 32) | IOPRIO_WHO_PROCESS, sensor(), 0)); }

/* None of its own, as it has. */
static void io_priority(void) { say(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, sensor(), 0)); }

/* The score that it has. */
static void oom_score(void) {
    char score[16];
    int file = (int)must("open the score", open(of_sensor("oom_score_adj"), O_RDWR | O_CLOEXEC));
    long length = must("read the score", read(file, score, sizeof score));
    actor();
    say(write(file, score, (size_t)length));
}

/* Where cgroups of v2 are, and the sensor's; a new one below it, named OTHER. */
static char top[4096], home[8192];
static const char *cgroup, *procs;

static void write_number(const char *path, int number) {
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    int file = (int)must("open a file of a cgroup", open(path, O_WRONLY | O_CLOEXEC));
    must("write a file of a cgroup", write(file, text, strlen(text)));
    close(file);
}

static void new_cgroup(void) {
    char line[4096], type[64], own[4096] = {0};
    FILE *mounts = fopen("/proc/self/mounts", "r");
    while (mounts && fgets(line, sizeof line, mounts))
        if (top[0] == 0 && sscanf(line, "%*s %4095s %63s", own, type) == 2 && strcmp(type, "cgroup2") == 0)
            strcpy(top, own);
    own[0] = 0;
    FILE *membership = fopen(of_sensor("cgroup"), "r");
    while (membership && fgets(line, sizeof line, membership))
        sscanf(line, "0::%4095s", own);
    if (top[0] == 0 || own[0] == 0) {
        errno = ENOENT;
        cannot("cgroups of v2");
    }
    snprintf(home, sizeof home, "%s%s/cgroup.procs", top, own);
    cgroup = joined(joined(top, own), name_of(other));
    procs = joined(cgroup, "cgroup.procs");
    must("make a cgroup", mkdir(cgroup, 0755));
}

/* When the actor has ended the sensor runs where it was, and the cgroup is gone. */
static _Noreturn void undo(pid_t child) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    write_number(joined(cgroup, "cgroup.freeze"), 0);
    write_number(home, sensor());
    rmdir(cgroup);
    _exit(0);
}

static void cgroup_moved(void) {
    pid_t child;
    new_cgroup();
    if (!part(&child))
        undo(child);
    write_number(procs, sensor());
    say(0);
}
static void cgroup_frozen(void) {
    pid_t child;
    new_cgroup();
    write_number(procs, sensor());
    if (!part(&child))
        undo(child);
    write_number(joined(cgroup, "cgroup.freeze"), 1);
    say(0);
}

static void sensor_thread_traced(void) { say(syscall(SYS_ptrace, PTRACE_SEIZE, thread_of_sensor(), 0, 0)); }
static void sensor_traced(void) { say(syscall(SYS_ptrace, PTRACE_SEIZE, sensor(), 0, 0)); }

/* Opened for writing, and not written. */
static void sensor_mem(void) { say(syscall(SYS_openat, AT_FDCWD, of_sensor("mem"), O_WRONLY | O_CLOEXEC)); }

/* At the end of the stack stands a word of zeros. */
static char zeros[8];
static void *end_of_stack(void) {
    char line[512];
    unsigned long end = 0, found;
    FILE *maps = fopen(of_sensor("maps"), "r");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "[stack]") && sscanf(line, "%*lx-%lx", &found) == 1)
            end = found;
    if (end == 0) {
        errno = ENOENT;
        cannot("its stack");
    }
    return (void *)(end - sizeof zeros);
}

/* It is written once more. */
static void sensor_written(void) {
    struct iovec here = {zeros, sizeof zeros}, there = {end_of_stack(), sizeof zeros};
    actor();
    say(syscall(SYS_process_vm_writev, target, &here, 1, &there, 1, 0));
}

/* It is read, by the id of a thread. */
static void sensor_thread_read(void) {
    pid_t thread = thread_of_sensor();
    struct iovec here = {zeros, sizeof zeros}, there = {end_of_stack(), sizeof zeros};
    actor();
    say(syscall(SYS_process_vm_readv, thread, &here, 1, &there, 1, 0));
}

/* Its standard input. */
static void sensor_descriptor(void) {
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, sensor(), 0));
    actor();
    say(syscall(SYS_pidfd_getfd, process, 0, 0));
}

/* The same from another pid namespace, where the sensor has no number. */
static void sensor_descriptor_elsewhere(void) {
    int said[2], error = ECHILD;
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, sensor(), 0));
    must("pipe", pipe2(said, O_CLOEXEC));
    must("unshare the pids", unshare(CLONE_NEWPID));
    pid_t child = (pid_t)must("fork", fork());
    if (child == 0) {
        error = syscall(SYS_pidfd_getfd, process, 0, 0) < 0 ? errno : 0;
        _exit(write(said[1], &error, sizeof error) != sizeof error);
    }
    close(said[1]);
    must("what came of it", read(said[0], &error, sizeof error));
    waitpid(child, NULL, 0);
    say_for(child, error);
}

/* About none of its memory. */
static void sensor_advised(void) {
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, sensor(), 0));
    actor();
    say(syscall(SYS_process_madvise, process, NULL, 0, MADV_COLD, 0));
}

const struct way hold_ways[] = {
    {"limit", limit},
    {"limit_of_thread", limit_of_thread},
    {"denied_limit", denied_limit},
    {"affinity", affinity},
    {"priority", priority},
    {"priority_of_group", priority_of_group},
    {"denied_priority_of_user", denied_priority_of_user},
    {"priority_wide", priority_wide},
    {"io_priority_wide", io_priority_wide},
    {"io_priority", io_priority},
    {"oom_score", oom_score},
    {"cgroup_moved", cgroup_moved},
    {"cgroup_frozen", cgroup_frozen},
    {"sensor_traced", sensor_traced},
    {"sensor_thread_traced", sensor_thread_traced},
    {"sensor_thread_read", sensor_thread_read},
    {"sensor_mem", sensor_mem},
    {"sensor_written", sensor_written},
    {"sensor_descriptor", sensor_descriptor},
    {"sensor_descriptor_elsewhere", sensor_descriptor_elsewhere},
    {"sensor_advised", sensor_advised},
    {0},
};
