/* Descriptors of the credential that come to a process without an open of its own. The setup opens, the actor receives. */
#include "uring.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

static void way_mmap(void) {
    int file = opened();
    actor();
    void *place = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    say(place == MAP_FAILED ? -1 : 0);
}

/* The kernel maps nothing of no length. */
static void denied_mmap(void) {
    int file = opened();
    actor();
    void *place = mmap(NULL, 0, PROT_READ, MAP_PRIVATE, file, 0);
    say(place == MAP_FAILED ? -1 : 0);
}

/* The program that execs is this one again, under the second name. */
static void inherit(void) {
    int file = (int)must("open the decoy", open(object, O_RDONLY));
    actor();
    (void)file;
    execl("/proc/self/exe", arguments[0], "inherited", NULL);
    cannot("execve");
}
/* It may have been told by whom what it has is. */
static void inherited(void) {
    target = atol(object);
    say(0);
}

/* The same, under a number that few programs use. */
static void inherit_as(int descriptor) {
    struct rlimit limit;
    must("the limit of descriptors", getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = (rlim_t)descriptor + 1;
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_max = limit.rlim_cur;
    must("more descriptors", setrlimit(RLIMIT_NOFILE, &limit));
    must("dup2", dup2(opened(), descriptor));
    actor();
    execl("/proc/self/exe", arguments[0], "inherited", NULL);
    cannot("execve");
}
static void inherit_high(void) { inherit_as(5000); }
static void inherit_highest(void) { inherit_as(1048575); }

/* The kernel opens it as a program, and gives the program that it runs instead a descriptor (binfmt_misc with the flag O), here in a user namespace of its own, which
   has rules of its own. That program is this one, which knows by AT_EXECFD what it is there for. OTHER is made. */
static void opened_as_program(void) {
    static const char map[] = "0 0 1\n";
    char rule[8192], itself[4096] = {0};
    must("where this program lies", readlink("/proc/self/exe", itself, sizeof itself - 1));
    must("make it a program", chmod(object, 0700));
    must("make a directory", mkdir(other, 0700));
    actor();
    must("a user namespace", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    write_text("/proc/self/setgroups", "deny");
    for (int group = 0; group < 2; group++) {
        int ids = (int)must("open the map of ids", open(group ? "/proc/self/gid_map" : "/proc/self/uid_map", O_WRONLY | O_CLOEXEC));
        must("map the ids", write(ids, map, sizeof map - 1));
    }
    must("mount binfmt_misc", mount("binfmt_misc", other, "binfmt_misc", 0, NULL));
    int length = snprintf(rule, sizeof rule, ":claviger:M::-----BEGIN::%s:O", itself);
    int rules = (int)must("open the rules", open(joined(other, "register"), O_WRONLY | O_CLOEXEC));
    must("a rule", write(rules, rule, (size_t)length));
    execl(object, object, NULL);
    cannot("execve");
}

/* What the setup has open and gives away: the decoy, or a part of itself. */
static int (*given)(void) = opened;
static int own(const char *path) { return (int)must("open a part of itself", open(path, O_RDONLY | O_CLOEXEC)); }
static int own_environ(void) { return own("/proc/self/environ"); }
static int own_mem(void) { return own("/proc/self/mem"); }
static int own_maps(void) { return own("/proc/self/maps"); }
static void gives(int (*what)(void)) {
    given = what;
    target = getpid();
}

/* A message with room for one descriptor. */
struct parcel {
    struct msghdr head;
    struct iovec data;
    char byte;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
};

static void wrap(struct parcel *parcel) {
    memset(parcel, 0, sizeof *parcel);
    parcel->data = (struct iovec){&parcel->byte, 1};
    parcel->head = (struct msghdr){.msg_iov = &parcel->data,
                                   .msg_iovlen = 1,
                                   .msg_control = parcel->control.bytes,
                                   .msg_controllen = sizeof parcel->control.bytes};
}

static void send_descriptor(int socket, int file) {
    struct parcel parcel;
    wrap(&parcel);
    struct cmsghdr *control = CMSG_FIRSTHDR(&parcel.head);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(control), &file, sizeof file);
    must("sendmsg", sendmsg(socket, &parcel.head, 0));
}

/* The actor gets the end to receive from; the setup opens and sends. */
static int receiving_end(void) {
    int sockets[2];
    pid_t child;
    must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
    if (part(&child))
        return sockets[1];
    send_descriptor(sockets[0], given());
    await(child);
}

/* What was received holds a descriptor, or nothing came. */
static long with_descriptor(long result, struct parcel *parcel) {
    if (result >= 0 && CMSG_FIRSTHDR(&parcel->head) == NULL) {
        errno = ENODATA;
        return -1;
    }
    return result;
}

static void scm_recvmsg(void) {
    struct parcel parcel;
    int socket = receiving_end();
    wrap(&parcel);
    say(with_descriptor(syscall(SYS_recvmsg, socket, &parcel.head, 0), &parcel));
}

/* A message that is only looked at leaves its descriptor too. */
static void scm_peek(void) {
    struct parcel parcel;
    int socket = receiving_end();
    wrap(&parcel);
    say(with_descriptor(syscall(SYS_recvmsg, socket, &parcel.head, MSG_PEEK), &parcel));
}

static void scm_recvmmsg(void) {
    struct parcel parcel;
    int socket = receiving_end();
    wrap(&parcel);
    struct mmsghdr message = {.msg_hdr = parcel.head};
    long result = syscall(SYS_recvmmsg, socket, &message, 1, 0, NULL);
    parcel.head = message.msg_hdr;
    say(with_descriptor(result, &parcel));
}

/* A ring that has the decoy open. From 6.7 on, and where that was taken up, the kernel sends none. */
static void scm_ring(void) {
    int sockets[2];
    struct parcel parcel;
    pid_t child;
    must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
    if (part(&child)) {
        wrap(&parcel);
        say(with_descriptor(syscall(SYS_recvmsg, sockets[1], &parcel.head, 0), &parcel));
    }
    int file = opened();
    struct uring uring = uring_new(0);
    must("fixed files", syscall(SYS_io_uring_register, uring.ring, IORING_REGISTER_FILES, &file, 1));
    close(file);
    send_descriptor(sockets[0], uring.ring);
    await(child);
}

static void scm_uring(void) {
    struct parcel parcel;
    int socket = receiving_end();
    struct uring uring = uring_new(0);
    wrap(&parcel);
    struct io_uring_sqe *entry = &uring.entries[0];
    memset(entry, 0, sizeof *entry);
    entry->opcode = IORING_OP_RECVMSG;
    entry->fd = socket;
    entry->addr = (uint64_t)(uintptr_t)&parcel.head;
    entry->len = 1;
    say(with_descriptor(uring_run(&uring, 1, 1), &parcel));
}

/* Whether it becomes so within five seconds. */
static bool in_time(bool (*is_so)(int), int of) {
    for (int waited = 0; waited < 5000; waited++) {
        if (is_so(of))
            return true;
        usleep(1000);
    }
    return false;
}
static bool sleeps(int process) {
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    FILE *facts = fopen(path, "r");
    bool is_so = facts != NULL && fscanf(facts, "%*d (%*[^)]) %c", &state) == 1 && state == 'S';
    if (facts != NULL)
        fclose(facts);
    return is_so;
}
static bool is_taken(int socket) {
    int left;
    return ioctl(socket, SIOCOUTQ, &left) == 0 && left == 0;
}

/* The ring receives while its thread is in a read, which takes no descriptors. */
static void scm_uring_reading(void) {
    int sockets[2], submitted[2], taken[2];
    pid_t child;
    char byte;
    must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
    must("pipe", pipe2(submitted, O_CLOEXEC));
    must("pipe", pipe2(taken, O_CLOEXEC));
    if (part(&child)) {
        struct parcel parcel;
        struct uring uring = uring_new(0);
        wrap(&parcel);
        struct io_uring_sqe *entry = &uring.entries[0];
        memset(entry, 0, sizeof *entry);
        entry->opcode = IORING_OP_RECVMSG;
        entry->fd = sockets[1];
        entry->addr = (uint64_t)(uintptr_t)&parcel.head;
        entry->len = 1;
        __atomic_store_n(uring.submitted, 1, __ATOMIC_RELEASE);
        must("io_uring_enter", syscall(SYS_io_uring_enter, uring.ring, 1, 0, 0, NULL, 0));
        must("write", write(submitted[1], "", 1));
        must("read", read(taken[0], &byte, 1));
        say(with_descriptor(uring_run(&uring, 0, 1), &parcel));
    }
    must("read", read(submitted[0], &byte, 1));
    if (!in_time(sleeps, child))
        cannot("a process that reads");
    send_descriptor(sockets[0], opened());
    if (!in_time(is_taken, sockets[0]))
        cannot("a message that is taken meanwhile");
    must("write", write(taken[1], "", 1));
    await(child);
}

/* While the call waits for a message, another thread points it elsewhere: the kernel has its copy, and what it writes lies where nobody looks. */
static struct parcel diverted;
static pid_t receiver;
static int is_diverted[2];
static char elsewhere[CMSG_SPACE(sizeof(int))];
static void *divert(void *unused) {
    if (!in_time(sleeps, receiver))
        _exit(1);
    diverted.head.msg_control = elsewhere;
    diverted.head.msg_controllen = 0;
    if (write(is_diverted[1], elsewhere, 1) != 1)
        _exit(1);
    return unused;
}
static void scm_diverted(void) {
    int sockets[2];
    char byte;
    pid_t child;
    pthread_t thread;
    must("pipe", pipe2(is_diverted, O_CLOEXEC));
    must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
    if (!part(&child)) {
        close(is_diverted[1]);
        if (read(is_diverted[0], &byte, 1) == 1)
            send_descriptor(sockets[0], opened());
        await(child);
    }
    wrap(&diverted);
    receiver = (pid_t)syscall(SYS_gettid);
    must("a thread", -pthread_create(&thread, NULL, divert, NULL));
    long result = syscall(SYS_recvmsg, sockets[1], &diverted.head, 0);
    diverted.head.msg_control = diverted.control.bytes;
    say(with_descriptor(result, &diverted));
}

/* Data alone is taken, and the kernel lets go of the descriptor. */
static void scm_left(void) {
    char byte;
    int socket = receiving_end();
    say(read(socket, &byte, 1));
}

/* From now on there is no number left for a descriptor. */
static void full(void) {
    struct rlimit limit;
    must("the limit of descriptors", getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 0;
    must("no more descriptors", setrlimit(RLIMIT_NOFILE, &limit));
}

/* The message is taken, and the kernel lets go of the descriptor. */
static void scm_full(void) {
    static struct parcel parcel;
    int socket = receiving_end();
    wrap(&parcel);
    full();
    say(syscall(SYS_recvmsg, socket, &parcel.head, 0));
}

static _Noreturn void taken_by_number(bool has_room) {
    int numbers[2], file;
    pid_t child, owner = getpid();
    must("pipe", pipe2(numbers, O_CLOEXEC));
    if (!part(&child)) {
        file = given();
        must("write", write(numbers[1], &file, sizeof file));
        await(child);
    }
    must("read", read(numbers[0], &file, sizeof file));
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, owner, 0));
    target = owner;
    if (!has_room)
        full();
    say(syscall(SYS_pidfd_getfd, process, file, 0));
}
static void way_pidfd_getfd(void) { taken_by_number(true); }
static void denied_getfd(void) { taken_by_number(false); }

/* The actor's getpgid is answered by the setup, with a descriptor; with `same`, under the number that the setup itself has it at. */
static _Noreturn void added(bool same) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof *code, code};
    pid_t child;
    must("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    int listener =
        (int)must("seccomp", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
    if (part(&child)) {
        close(listener);
        say(syscall(SYS_getpgid, 0));
    }
    struct seccomp_notif notice = {0};
    must("a notification", ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice));
    struct seccomp_notif_addfd answer = {.id = notice.id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)given()};
    if (same) {
        answer.flags |= SECCOMP_ADDFD_FLAG_SETFD;
        answer.newfd = answer.srcfd;
    }
    must("NOTIF_ADDFD", ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &answer));
    await(child);
}
static void seccomp_addfd(void) { added(false); }
static void seccomp_addfd_same_number(void) { added(true); }

/* The setup marks and opens the decoy; the actor reads the notice, with which the kernel opens the file for it. */
static void way_fanotify(void) {
    pid_t child;
    int notices = (int)must("fanotify", fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC));
    must("fanotify_mark", fanotify_mark(notices, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, object));
    if (!part(&child)) {
        opened();
        await(child);
    }
    struct fanotify_event_metadata notice;
    must("a notice", read(notices, &notice, sizeof notice));
    if (notice.fd < 0)
        errno = EBADF;
    say(notice.fd);
}

/* Held from before the sensor began until it has ended. */
static void held(void) { say(opened()); }

static void environ_received(void) {
    gives(own_environ);
    scm_recvmsg();
}
static void maps_received_uring(void) {
    gives(own_maps);
    scm_uring();
}
static void mem_taken(void) {
    gives(own_mem);
    way_pidfd_getfd();
}
static void environ_added(void) {
    gives(own_environ);
    seccomp_addfd();
}

/* The program that execs is this one again; what it has is another process's, that is none of its parents. */
static void mem_inherited(void) {
    char path[64], pid[16];
    pid_t child;
    if (part(&child))
        for (;;)
            pause();
    snprintf(path, sizeof path, "/proc/%d/mem", child);
    must("open the memory of another", open(path, O_RDONLY));
    actor();
    snprintf(pid, sizeof pid, "%d", child);
    execl("/proc/self/exe", arguments[0], "inherited", pid, NULL);
    cannot("execve");
}

/* The setup lets its child have what is its own: a program that it starts, or the child as it was forked. */
static void own_environ_inherited(void) {
    must("open its own environment", open("/proc/self/environ", O_RDONLY));
    actor();
    execl("/proc/self/exe", arguments[0], "inherited", NULL);
    cannot("execve");
}
static void own_environ_forked(void) {
    own_environ();
    actor();
    say(0);
}

/* As above, of a thread that has ended. */
static int of_thread = -1;
static void *open_own(void *nothing) {
    of_thread = open("/proc/thread-self/environ", O_RDONLY);
    return nothing;
}
static void thread_environ(void) {
    pthread_t thread;
    must("a thread", -pthread_create(&thread, NULL, open_own, NULL));
    must("its end", -pthread_join(thread, NULL));
    must("open the environment of a thread", of_thread);
}
static void own_thread_environ_held(void) {
    actor();
    thread_environ();
    say(0);
}
static void own_thread_environ_inherited(void) {
    thread_environ();
    actor();
    execl("/proc/self/exe", arguments[0], "inherited", NULL);
    cannot("execve");
}

const struct way descriptor_ways[] = {
    {"mmap", way_mmap},
    {"inherit", inherit},
    {"inherit_high", inherit_high},
    {"inherit_highest", inherit_highest},
    {"inherited", inherited},
    {"opened_as_program", opened_as_program},
    {"scm_recvmsg", scm_recvmsg},
    {"scm_peek", scm_peek},
    {"scm_recvmmsg", scm_recvmmsg},
    {"scm_uring", scm_uring},
    {"scm_uring_reading", scm_uring_reading},
    {"scm_ring", scm_ring},
    {"scm_diverted", scm_diverted},
    {"scm_left", scm_left},
    {"scm_full", scm_full},
    {"denied_getfd", denied_getfd},
    {"denied_mmap", denied_mmap},
    {"pidfd_getfd", way_pidfd_getfd},
    {"seccomp_addfd", seccomp_addfd},
    {"seccomp_addfd_same_number", seccomp_addfd_same_number},
    {"fanotify", way_fanotify},
    {"held", held},
    {"environ_received", environ_received},
    {"maps_received_uring", maps_received_uring},
    {"mem_taken", mem_taken},
    {"environ_added", environ_added},
    {"mem_inherited", mem_inherited},
    {"own_environ_inherited", own_environ_inherited},
    {"own_environ_forked", own_environ_forked},
    {"own_thread_environ_held", own_thread_environ_held},
    {"own_thread_environ_inherited", own_thread_environ_inherited},
    {0},
};
