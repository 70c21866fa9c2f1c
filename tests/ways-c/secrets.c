/* Secrets that are in a process or a machine and not in a file of their own. The other process is the setup, which has read the decoy. */
#include "ways.h"

#include <fcntl.h>
#include <pthread.h>
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
static void proc_smaps(void) { open_of_target("smaps"); }

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

static _Noreturn void read_by(const pid_t *id) {
    char copy[sizeof secret];
    struct iovec here = {copy, sizeof copy}, there = {secret, sizeof secret};
    target_of_actor();
    say(syscall(SYS_process_vm_readv, id ? *id : target, &here, 1, &there, 1, 0));
}
static void way_process_vm_readv(void) { read_by(NULL); }

/* A further thread of the setup, by whose id the actor names it. */
static pid_t thread;
static int begun[2];
static void *wait_for_ever(void *unused) {
    thread = (pid_t)syscall(SYS_gettid);
    if (write(begun[1], "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
    return unused;
}
static void another_thread(void) {
    pthread_t unused;
    char byte;
    must("pipe", pipe2(begun, O_CLOEXEC));
    must("a thread", -pthread_create(&unused, NULL, wait_for_ever, NULL));
    must("read", read(begun[0], &byte, 1));
}
static void process_vm_readv_thread(void) {
    another_thread();
    read_by(&thread);
}
static void ptrace_seize_thread(void) {
    another_thread();
    target_of_actor();
    say(syscall(SYS_ptrace, PTRACE_SEIZE, thread, 0, 0));
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

/* Whoever asks to be traced is the target; the actor is its parent, and lets it go on. */
static void ptrace_traceme(void) {
    pid_t child = (pid_t)must("fork", fork());
    if (child == 0) {
        close(opened());
        syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    target = child;
    must("wait", waitpid(child, &status, __WALL));
    if (!WIFSTOPPED(status)) {
        errno = ECHILD;
        cannot("the child stops as one that is traced");
    }
    say(syscall(SYS_ptrace, PTRACE_CONT, child, 0, 0));
}
/* The setup is traced so that what it forks is too. That one is the target. */
static void ptrace_from_start(void) {
    pid_t child, creator = getpid();
    int status, ends[2];
    unsigned long forked = 0;
    must("pipe", pipe2(ends, O_CLOEXEC));
    if (!part(&child)) {
        char byte;
        must("read", read(ends[0], &byte, 1));
        pid_t forked_here = fork();
        if (forked_here == 0)
            _exit(0);
        waitpid(forked_here, NULL, 0);
        await(child);
    }
    must("seize", syscall(SYS_ptrace, PTRACE_SEIZE, creator, 0, PTRACE_O_TRACEFORK));
    must("write", write(ends[1], "", 1));
    must("wait for the fork", waitpid(creator, &status, __WALL));
    must("who was forked", syscall(SYS_ptrace, PTRACE_GETEVENTMSG, creator, 0, &forked));
    target = (long)forked;
    must("wait for what was forked", waitpid((pid_t)target, &status, __WALL));
    syscall(SYS_ptrace, PTRACE_DETACH, target, 0, 0);
    syscall(SYS_ptrace, PTRACE_DETACH, creator, 0, 0);
    say(0);
}

/* Only where cores go to a plain file of the working directory, which becomes OTHER, and only this size. */
static void place_of_cores(void) {
    char pattern[128] = {0};
    struct rlimit limit = {1 << 24, 1 << 24};
    int file = (int)must("the pattern of cores", open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC));
    must("the pattern of cores", read(file, pattern, sizeof pattern - 1));
    close(file);
    if (pattern[0] == '|' || pattern[0] == '/' || pattern[0] == '@') {
        errno = EOPNOTSUPP;
        cannot("cores do not go to the working directory");
    }
    must("the limit of cores", setrlimit(RLIMIT_CORE, &limit));
    must("chdir", chdir(other));
}

/* The setup's end: the actor has died with a core. */
static _Noreturn void core_of(pid_t child) {
    int status;
    must("wait", waitpid(child, &status, 0));
    if (!WIFSIGNALED(status) || !WCOREDUMP(status)) {
        errno = EOPNOTSUPP;
        cannot("a core dump");
    }
    say_for(child, 0);
}

/* The actor reads the decoy and dies with a core. */
static void core_dump(void) {
    pid_t child;
    place_of_cores();
    if (part(&child)) {
        opened();
        abort();
    }
    core_of(child);
}

/* The setup reads the decoy; the actor has what its parent had. */
static void core_dump_of_forked(void) {
    pid_t child;
    place_of_cores();
    opened();
    if (part(&child))
        abort();
    core_of(child);
}

/* The actor was started with a decoy in its environment. */
static void core_dump_of_started(void) {
    static char *const variables[] = {"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYDECOYSECRET", NULL};
    pid_t child;
    place_of_cores();
    if (part(&child)) {
        execle("/proc/self/exe", arguments[0], "aborted", NULL, variables);
        _exit(1);
    }
    core_of(child);
}
static void aborted(void) { abort(); }

/* The setup reads the decoy; the actor is a program of its own, which has none of it. */
static void core_dump_of_another(void) {
    pid_t child;
    place_of_cores();
    opened();
    if (part(&child)) {
        execle("/proc/self/exe", arguments[0], "aborted", NULL, (char *const[]){NULL});
        _exit(1);
    }
    core_of(child);
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
    {"proc_smaps", proc_smaps},
    {"proc_task_environ", proc_task_environ},
    {"denied_environ", denied_environ},
    {"process_vm_readv", way_process_vm_readv},
    {"process_vm_readv_thread", process_vm_readv_thread},
    {"ptrace_seize_thread", ptrace_seize_thread},
    {"ptrace_attach", ptrace_attach},
    {"ptrace_seize", ptrace_seize},
    {"denied_ptrace", denied_ptrace},
    {"ptrace_traceme", ptrace_traceme},
    {"ptrace_from_start", ptrace_from_start},
    {"core_dump", core_dump},
    {"core_dump_of_forked", core_dump_of_forked},
    {"core_dump_of_started", core_dump_of_started},
    {"core_dump_of_another", core_dump_of_another},
    {"aborted", aborted},
    {"open_device", open_device},
    {"environment", environment},
    {"command_line", command_line},
    {"started", started},
    {0},
};
