/* Secrets that are in a process or a machine and not in a file of their own. The other process is the setup, which has read the decoy. */
#include "ways.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

static char secret[16] = "decoy";

/* Goes on as the actor, with the setup as the target. */
static void target_of_actor(void) {
    target = getpid();
    close(opened());
    actor();
}

static _Noreturn void open_of_target(const char *name) {
    char path[64];
    target_of_actor();
    snprintf(path, sizeof path, "/proc/%ld/%s", target, name);
    say(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
}

static void proc_environ(void) { open_of_target("environ"); }
static void proc_mem(void) { open_of_target("mem"); }
static void proc_maps(void) { open_of_target("maps"); }

static void proc_task_environ(void) {
    char name[64];
    snprintf(name, sizeof name, "task/%d/environ", getpid());
    open_of_target(name);
}

static void denied_environ(void) {
    char path[64];
    target_of_actor();
    nobody();
    snprintf(path, sizeof path, "/proc/%ld/environ", target);
    say(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
}

static void way_process_vm_readv(void) {
    char copy[sizeof secret];
    struct iovec here = {copy, sizeof copy}, there = {secret, sizeof secret};
    target_of_actor();
    say(syscall(SYS_process_vm_readv, target, &here, 1, &there, 1, 0));
}

/* Attached, or seized; let go again at once. */
static void ptrace_attach(void) {
    target_of_actor();
    long result = syscall(SYS_ptrace, PTRACE_ATTACH, target, 0, 0);
    if (result == 0) {
        waitpid((pid_t)target, NULL, __WALL);
        syscall(SYS_ptrace, PTRACE_DETACH, target, 0, 0);
    }
    say(result);
}
static void ptrace_seize(void) {
    target_of_actor();
    say(syscall(SYS_ptrace, PTRACE_SEIZE, target, 0, 0));
}
static void denied_ptrace(void) {
    target_of_actor();
    nobody();
    say(syscall(SYS_ptrace, PTRACE_SEIZE, target, 0, 0));
}

/* The actor reads the decoy and dies with a core, in the directory OTHER. Only where cores go to a plain file, and only this size. */
static void core_dump(void) {
    char pattern[128] = {0};
    int status;
    int file = (int)must("the pattern of cores", open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC));
    must("the pattern of cores", read(file, pattern, sizeof pattern - 1));
    if (pattern[0] == '|' || pattern[0] == '/' || pattern[0] == '@') {
        errno = EOPNOTSUPP;
        cannot("cores do not go to the working directory");
    }
    pid_t child;
    must("chdir", chdir(other));
    if (part(&child)) {
        struct rlimit limit = {1 << 24, 1 << 24};
        opened();
        if (setrlimit(RLIMIT_CORE, &limit) == 0)
            abort();
        _exit(1);
    }
    must("wait", waitpid(child, &status, 0));
    if (!WIFSIGNALED(status) || !WCOREDUMP(status)) {
        errno = EOPNOTSUPP;
        cannot("a core dump");
    }
    say_for(child, 0);
}

/* Object is a device or file of the kernel; opened and not read. */
static void open_device(void) {
    must("it is not there", access(object, F_OK));
    say(syscall(SYS_openat, AT_FDCWD, object, O_RDONLY | O_CLOEXEC));
}

/* This program again, with a decoy in the environment or in the arguments. */
static void environment(void) {
    static char *const variables[] = {"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
                                      "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYDECOYSECRET", NULL};
    actor();
    execle("/proc/self/exe", arguments[0], "started", NULL, variables);
    cannot("execve");
}
static void command_line(void) {
    actor();
    execle("/proc/self/exe", arguments[0], "started", "--token", "ghp_wJalrXUtnFEMIK7MDENGbPxRfiCYDECOYSECRET", NULL,
           (char *const[]){NULL});
    cannot("execve");
}
static void started(void) { say(0); }

const struct way secret_ways[] = {
    {"proc_environ", proc_environ},
    {"proc_mem", proc_mem},
    {"proc_maps", proc_maps},
    {"proc_task_environ", proc_task_environ},
    {"denied_environ", denied_environ},
    {"process_vm_readv", way_process_vm_readv},
    {"ptrace_attach", ptrace_attach},
    {"ptrace_seize", ptrace_seize},
    {"denied_ptrace", denied_ptrace},
    {"core_dump", core_dump},
    {"open_device", open_device},
    {"environment", environment},
    {"command_line", command_line},
    {"started", started},
    {0},
};
