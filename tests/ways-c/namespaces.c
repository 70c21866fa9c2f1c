/* The sensor named from other pid and user namespaces, and what has its number in one and is another process. OBJECT is its pid. */
#include "ways.h"

#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

static pid_t sensor(void) {
    target = atol(object);
    return (pid_t)target;
}

/* A process with the sensor's number, in this namespace, which lives as long as its parent. */
static long of_its_number(void) {
    pid_t number = sensor();
    struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&number, .set_tid_size = 1};
    long child = syscall(SYS_clone3, &how, sizeof how);
    if (child == 0)
        for (;;)
            pause();
    return child;
}

/* Done by the first process of a pid namespace, in which another has the sensor's number. With its end all of it ends. */
static _Noreturn void elsewhere(long (*done)(pid_t)) {
    int said[2], error = ECHILD;
    must("pipe", pipe2(said, O_CLOEXEC));
    must("unshare the pids", unshare(CLONE_NEWPID));
    pid_t child = (pid_t)must("fork", fork());
    if (child == 0) {
        long other_one = of_its_number();
        error = other_one < 0 || done((pid_t)other_one) < 0 ? errno : 0;
        _exit(write(said[1], &error, sizeof error) != sizeof error);
    }
    close(said[1]);
    must("what came of it", read(said[0], &error, sizeof error));
    waitpid(child, NULL, 0);
    say_for(child, error);
}

static long limited(pid_t process) {
    struct rlimit limit;
    if (syscall(SYS_prlimit64, process, RLIMIT_NOFILE, NULL, &limit) < 0)
        return -1;
    return syscall(SYS_prlimit64, process, RLIMIT_NOFILE, &limit, NULL);
}
static long scheduled(pid_t process) { return syscall(SYS_setpriority, PRIO_PROCESS, process, 0); }
static long scheduled_for_disks(pid_t process) { return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, process, 0); }
/* What lies here lies in its child too. */
static long written(pid_t process) {
    static char byte;
    struct iovec place = {&byte, 1};
    return syscall(SYS_process_vm_writev, process, &place, 1, &place, 1, 0);
}
static void limit_of_number(void) { elsewhere(limited); }
static void priority_of_number(void) { elsewhere(scheduled); }
static void io_priority_of_number(void) { elsewhere(scheduled_for_disks); }
static void number_written(void) { elsewhere(written); }

/* What it makes would be in another namespace; it itself stays, and names the sensor as before. */
static void limit_unshared(void) {
    must("unshare the pids", unshare(CLONE_NEWPID));
    say(limited(sensor()));
}

/* Of all of the sensor's user, who has another number here, by one who may not. */
static void denied_priority_across(void) {
    enum { ROOT_HERE = 1000, NOBODY_HERE = 2000 };
    static const char map[] = "1000 0 1\n2000 65534 1\n";
    int made[2], mapped[2];
    char byte = 0, path[64];
    pid_t child;
    must("pipe", pipe2(made, O_CLOEXEC));
    must("pipe", pipe2(mapped, O_CLOEXEC));
    if (part(&child)) {
        must("a user namespace", unshare(CLONE_NEWUSER));
        must("write", write(made[1], &byte, 1));
        must("read", read(mapped[0], &byte, 1));
        must("setresuid", syscall(SYS_setresuid, -1, NOBODY_HERE, -1));
        say(syscall(SYS_setpriority, PRIO_USER, ROOT_HERE, 0));
    }
    close(made[1]);
    if (must("read", read(made[0], &byte, 1)) == 1) {
        snprintf(path, sizeof path, "/proc/%d/uid_map", child);
        int ids = (int)must("open the map of ids", open(path, O_WRONLY | O_CLOEXEC));
        must("map the ids", write(ids, map, sizeof map - 1));
        must("write", write(mapped[1], &byte, 1));
    }
    await(child);
}

const struct way namespace_ways[] = {
    {"limit_of_number", limit_of_number},
    {"priority_of_number", priority_of_number},
    {"io_priority_of_number", io_priority_of_number},
    {"number_written", number_written},
    {"limit_unshared", limit_unshared},
    {"denied_priority_across_users", denied_priority_across},
    {0},
};
