/* What is done to the sensor: harmless forms of each. OBJECT is its pid, one of its bpf ids, or a file of its own. */
#include "ways.h"

#include <linux/bpf.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* A running process is left as it is by SIGCONT. */
static pid_t sensor(void) {
    target = atol(object);
    return (pid_t)target;
}
static void signal_kill(void) { say(syscall(SYS_kill, sensor(), SIGCONT)); }
static void signal_tgkill(void) { say(syscall(SYS_tgkill, sensor(), sensor(), SIGCONT)); }
static void signal_tkill(void) { say(syscall(SYS_tkill, sensor(), SIGCONT)); }
static void signal_sigqueue(void) {
    siginfo_t info = {.si_signo = SIGCONT, .si_code = SI_QUEUE};
    say(syscall(SYS_rt_sigqueueinfo, sensor(), SIGCONT, &info));
}
static void signal_pidfd(void) {
    int process = (int)must("pidfd_open", syscall(SYS_pidfd_open, sensor(), 0));
    actor();
    say(syscall(SYS_pidfd_send_signal, process, SIGCONT, NULL, 0));
}
/* Anybody of the same session may send SIGCONT, so this is another that changes nothing. */
static void denied_signal(void) {
    nobody();
    say(syscall(SYS_kill, sensor(), SIGURG));
}

static long bpf(int command, union bpf_attr *attributes) { return syscall(SYS_bpf, command, attributes, sizeof *attributes); }

static long by_id(int command) {
    union bpf_attr attributes = {.map_id = (uint32_t)atoi(object)};
    return bpf(command, &attributes);
}

/* The kernel detaches no link of these kinds on request, and refuses flags it does not know: nothing is changed. */
static void bpf_detach(void) {
    union bpf_attr attributes = {.link_detach = {.link_fd = (uint32_t)must("the sensor's link", by_id(BPF_LINK_GET_FD_BY_ID))}};
    actor();
    say(bpf(BPF_LINK_DETACH, &attributes));
}
static void bpf_map_write(void) {
    char key[256] = {0}, value[4096] = {0};
    int map = (int)must("the sensor's map", by_id(BPF_MAP_GET_FD_BY_ID));
    union bpf_attr attributes = {.map_fd = (uint32_t)map,
                                 .key = (uint64_t)(uintptr_t)key,
                                 .value = (uint64_t)(uintptr_t)value,
                                 .flags = UINT64_MAX};
    actor();
    say(bpf(BPF_MAP_UPDATE_ELEM, &attributes));
}
/*
 * What the call names is changed once the kernel has its copy: it then asks for the key, whose page another thread gives. The value lies nowhere, so
 * nothing is written.
 */
static union bpf_attr hidden;
static void *give_page(void *faults) {
    struct uffd_msg message;
    if (read((int)(intptr_t)faults, &message, sizeof message) == sizeof message) {
        struct uffdio_zeropage page = {.range = {message.arg.pagefault.address & ~4095ULL, 4096}};
        hidden.map_fd = UINT32_MAX;
        ioctl((int)(intptr_t)faults, UFFDIO_ZEROPAGE, &page);
    }
    return NULL;
}
static void bpf_map_write_hidden(void) {
    pthread_t thread;
    int map = (int)must("the sensor's map", by_id(BPF_MAP_GET_FD_BY_ID));
    actor();
    int faults = (int)must("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    struct uffdio_api api = {.api = UFFD_API};
    must("userfaultfd's version", ioctl(faults, UFFDIO_API, &api));
    void *key = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register of_key = {.range = {(uint64_t)(uintptr_t)key, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    must("faults of a page", ioctl(faults, UFFDIO_REGISTER, &of_key));
    must("a thread", -pthread_create(&thread, NULL, give_page, (void *)(intptr_t)faults));
    hidden = (union bpf_attr){.map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)key, .value = 1};
    long result = bpf(BPF_MAP_UPDATE_ELEM, &hidden);
    if (hidden.map_fd != UINT32_MAX) {
        errno = EOPNOTSUPP;
        cannot("the kernel did not ask for the key");
    }
    say(result);
}
/* Adds a thousand to a number of a map of numbers for each CPU, on the first CPU. OTHER is its index. No harmless form. */
static void account_spoiled(void) {
    static uint64_t counts[8192];
    uint32_t index = (uint32_t)atoi(other);
    int map = (int)must("the sensor's map", by_id(BPF_MAP_GET_FD_BY_ID));
    union bpf_attr attributes = {.map_fd = (uint32_t)map,
                                 .key = (uint64_t)(uintptr_t)&index,
                                 .value = (uint64_t)(uintptr_t)counts};
    must("its number", bpf(BPF_MAP_LOOKUP_ELEM, &attributes));
    counts[0] += 1000;
    actor();
    say(bpf(BPF_MAP_UPDATE_ELEM, &attributes));
}
/* Sets all numbers of the sensor's map of this name to 0. OBJECT is its name. No harmless form. */
static void map_emptied(void) {
    union bpf_attr next = {0};
    actor();
    while (bpf(BPF_MAP_GET_NEXT_ID, &next) == 0) {
        union bpf_attr one = {.map_id = next.next_id};
        next.start_id = next.next_id;
        int map = (int)bpf(BPF_MAP_GET_FD_BY_ID, &one);
        if (map < 0) continue;
        struct bpf_map_info info = {0};
        union bpf_attr about = {.info = {.bpf_fd = (uint32_t)map, .info_len = sizeof info, .info = (uint64_t)(uintptr_t)&info}};
        if (bpf(BPF_OBJ_GET_INFO_BY_FD, &about) == 0 && strcmp(info.name, object) == 0) {
            uint64_t nothing = 0;
            long result = 0;
            for (uint32_t key = 0; key < info.max_entries && result == 0; key++) {
                union bpf_attr change = {.map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)&key, .value = (uint64_t)(uintptr_t)&nothing};
                result = bpf(BPF_MAP_UPDATE_ELEM, &change);
            }
            say(result);
            return;
        }
        close(map);
    }
    say(-1);
}
static void bpf_link_taken(void) { say(by_id(BPF_LINK_GET_FD_BY_ID)); }
static void bpf_map_taken(void) { say(by_id(BPF_MAP_GET_FD_BY_ID)); }

/* In a mount namespace of its own. OTHER is a file to be put over it. */
static void mount_over(void) {
    private_mounts();
    write_text(other, "");
    actor();
    say(syscall(SYS_mount, other, object, NULL, MS_BIND, NULL));
}

/* From a root that lies above it. */
static void mount_over_chroot(void) {
    private_mounts();
    write_text(joined(directory_of(directory_of(object)), "cover"), "");
    from_chroot();
    actor();
    say(syscall(SYS_mount, "/cover", object, NULL, MS_BIND, NULL));
}
/* The same for the sensor, for it would be seen there, and refused. */
static void denied_mount_over_chroot(void) {
    from_chroot();
    nobody();
    say(syscall(SYS_mount, "/", object, NULL, MS_BIND, NULL));
}

/* What was mounted nowhere before. */
static void mount_over_detached(void) {
    private_mounts();
    write_text(other, "");
    int tree = (int)must("open_tree", syscall(SYS_open_tree, AT_FDCWD, other, OPEN_TREE_CLONE | O_CLOEXEC));
    actor();
    say(syscall(SYS_move_mount, tree, "", AT_FDCWD, object, MOVE_MOUNT_F_EMPTY_PATH));
}
/* OTHER shows the directory too. */
static void mount_over_elsewhere(void) {
    const char *cover = joined(directory_of(other), "cover");
    private_mounts();
    write_text(cover, "");
    must("make a directory", mkdir(other, 0700));
    must("show the directory elsewhere", mount(directory_of(object), other, NULL, MS_BIND, NULL));
    actor();
    say(syscall(SYS_mount, cover, joined(other, name_of(object)), NULL, MS_BIND, NULL));
}

/* Opened for writing, and not written. */
static void file_written(void) { say(syscall(SYS_openat, AT_FDCWD, object, O_WRONLY | O_CLOEXEC)); }

/* Opened, and not read. */
static void own_key_read(void) { say(syscall(SYS_openat, AT_FDCWD, object, O_RDONLY | O_CLOEXEC)); }
static void denied_own_key(void) {
    nobody();
    own_key_read();
}

/* Through another name of it, which is gone when it is opened. */
static void own_key_by_link(void) {
    char name[4096], by[64];
    snprintf(name, sizeof name, "%s.way", object);
    unlink(name);
    must("a second name", link(object, name));
    int file = (int)must("open by name", open(name, O_PATH | O_CLOEXEC));
    must("unlink", unlink(name));
    snprintf(by, sizeof by, "/proc/self/fd/%d", file);
    actor();
    say(syscall(SYS_openat, AT_FDCWD, by, O_RDONLY | O_CLOEXEC));
}

/* A second name that it was given for this. */
static void own_name_removed(void) {
    static char name[4096];
    snprintf(name, sizeof name, "%s.way", object);
    unlink(name);
    must("a second name", link(object, name));
    actor();
    say(syscall(SYS_unlink, name));
}
static void own_mode_set_chroot(void) {
    struct stat facts;
    must("its mode", stat(object, &facts));
    from_chroot();
    say(syscall(SYS_chmod, object, facts.st_mode & 07777));
}
/* To the mode that it has. */
static void own_mode_set(void) {
    struct stat facts;
    must("its mode", stat(object, &facts));
    actor();
    say(syscall(SYS_chmod, object, facts.st_mode & 07777));
}

const struct way attack_ways[] = {
    {"signal_kill", signal_kill},
    {"signal_tkill", signal_tkill},
    {"signal_tgkill", signal_tgkill},
    {"signal_sigqueue", signal_sigqueue},
    {"signal_pidfd", signal_pidfd},
    {"denied_signal", denied_signal},
    {"bpf_detach", bpf_detach},
    {"bpf_map_write", bpf_map_write},
    {"account_spoiled", account_spoiled},
    {"map_emptied", map_emptied},
    {"own_name_removed", own_name_removed},
    {"own_mode_set", own_mode_set},
    {"bpf_link_taken", bpf_link_taken},
    {"bpf_map_taken", bpf_map_taken},
    {"bpf_map_write_hidden", bpf_map_write_hidden},
    {"mount_over_chroot", mount_over_chroot},
    {"denied_mount_over_chroot", denied_mount_over_chroot},
    {"own_mode_set_chroot", own_mode_set_chroot},
    {"mount_over", mount_over},
    {"mount_over_detached", mount_over_detached},
    {"mount_over_elsewhere", mount_over_elsewhere},
    {"file_written", file_written},
    {"own_key_read", own_key_read},
    {"own_key_by_link", own_key_by_link},
    {"denied_own_key", denied_own_key},
    {0},
};
