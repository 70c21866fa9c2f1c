/* Calls that seccomp answers, so that the kernel does nothing: on OBJECT, a credential that is open already, and on OTHER, the sensor: its
   id, a colon, and the path of a file of its own. */
#include "ways.h"

#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static const int calls[] = {SYS_chmod,  SYS_chown,      SYS_truncate, SYS_setxattr,         SYS_unlink,  SYS_fchmod, SYS_fchownat,
                            SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_keyctl, SYS_mount, SYS_prlimit64, SYS_setpriority};
enum { CALLS = sizeof calls / sizeof *calls };

static void answer_with(unsigned error) {
    struct sock_filter filter[CALLS + 3];
    filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int at = 0; at < CALLS; at++)
        filter[1 + at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[at], (unsigned char)(CALLS - at), 0);
    filter[CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[CALLS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
    const struct sock_fprog program = {CALLS + 3, filter};
    must("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    must("a filter", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

/* Each call has the same result. */
static void ask(int file, int expected) {
    const pid_t sensor = atoi(other);
    static char memory[8];
    struct iovec here = {memory, sizeof memory}, there = {memory, sizeof memory};
    struct rlimit limit = {1024, 1024};
    const long results[] = {
        chmod(object, 0644),
        chown(object, 1, 1),
        truncate(object, 0),
        setxattr(object, "user.claviger", "x", 1, 0),
        unlink(object),
        fchmod(file, 0644),
        fchownat(file, "", 1, 1, AT_EMPTY_PATH),
        syscall(SYS_ptrace, PTRACE_SEIZE, sensor, 0, 0),
        process_vm_readv(sensor, &here, 1, &there, 1, 0),
        process_vm_writev(sensor, &here, 1, &there, 1, 0),
        syscall(SYS_keyctl, KEYCTL_READ, 4711, memory, sizeof memory, 0),
        mount(object, strchr(other, ':') + 1, NULL, MS_BIND, NULL),
        syscall(SYS_prlimit64, sensor, RLIMIT_NOFILE, &limit, NULL),
        setpriority(PRIO_PROCESS, (id_t)sensor, 0),
    };
    for (size_t at = 0; at < sizeof results / sizeof *results; at++) {
        if (results[at] != expected) {
            errno = EPROTO;
            cannot("calls that seccomp answers");
        }
        target++;
    }
}

static void answered(void) {
    const int file = opened();
    actor();
    answer_with(0);
    ask(file, 0);
    say(0);
}

static void refused(void) {
    const int file = opened();
    actor();
    answer_with(EPERM);
    ask(file, -1);
    say(0);
}

const struct way answered_ways[] = {{"answered_by_seccomp", answered}, {"refused_by_seccomp", refused}, {NULL, NULL}};
