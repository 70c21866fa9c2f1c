/* Opens by every system call and every name, and those that are refused. */
#include "ways.h"

#include <linux/landlock.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static long by_openat2(int directory, const char *path, uint64_t flags) {
    struct open_how how = {.flags = flags};
    return syscall(SYS_openat2, directory, path, &how, sizeof how);
}

static _Noreturn void read_it(const char *path) { say(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)); }

static void way_open(void) { say(syscall(SYS_open, object, O_RDONLY | O_CLOEXEC)); }
static void way_openat(void) { read_it(object); }
static void way_openat2(void) { say(by_openat2(AT_FDCWD, object, O_RDONLY | O_CLOEXEC)); }

/* By a process whose memory takes the kernel long to give back at its end, before it closes the files. */
static void open_large(void) {
    size_t size = 500ul << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must("memory", memory == MAP_FAILED ? -1 : 0);
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += 4096)
        memory[at] = 1;
    read_it(object);
}

static void relative_to_cwd(void) {
    must("chdir", chdir(directory_of(object)));
    read_it(name_of(object));
}

static int directory_descriptor(void) {
    return (int)must("open the directory", open(directory_of(object), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static void relative_to_descriptor(void) {
    int directory = directory_descriptor();
    actor();
    say(syscall(SYS_openat, directory, name_of(object), O_RDONLY));
}

static void openat2_in_root(void) {
    int directory = directory_descriptor();
    actor();
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
    say(syscall(SYS_openat2, directory, joined("/..", name_of(object)), &how, sizeof how));
}

static void through_symlink(void) {
    must("symlink", symlink(object, other));
    actor();
    read_it(other);
}

static void through_symlinked_directory(void) {
    must("symlink", symlink(directory_of(object), other));
    actor();
    read_it(joined(other, name_of(object)));
}

static void through_hard_link(void) {
    must("link", link(object, other));
    actor();
    read_it(other);
}

static void through_proc_root(void) {
    char path[4096];
    snprintf(path, sizeof path, "/proc/%d/root%s", getpid(), object);
    actor();
    read_it(path);
}

static void through_proc_cwd(void) {
    char path[4096];
    must("chdir", chdir(directory_of(object)));
    snprintf(path, sizeof path, "/proc/%d/cwd/%s", getpid(), name_of(object));
    actor();
    must("chdir", chdir("/"));
    read_it(path);
}

/* An O_PATH descriptor, which is no use of the file, is opened for reading. */
static void through_proc_fd(void) {
    char path[64];
    int file = (int)must("open by O_PATH", open(object, O_PATH | O_CLOEXEC));
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    actor();
    read_it(path);
}

/* A descriptor that another process holds is opened anew. */
static void through_proc_fd_of_another(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), opened());
    actor();
    read_it(path);
}

/* What another process has mapped is opened. */
static void through_proc_map_files(void) {
    char path[128];
    int file = opened();
    char *place = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    must("mmap", place == MAP_FAILED ? -1 : 0);
    close(file);
    snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", getpid(), (unsigned long)place, (unsigned long)place + 4096);
    actor();
    read_it(path);
}

static void *thread(void *unused) {
    (void)unused;
    read_it(object);
}

/* By a thread that is not the first. */
static void by_thread(void) {
    pthread_t one;
    errno = pthread_create(&one, NULL, thread, NULL);
    must("a thread", errno ? -1 : 0);
    pthread_join(one, NULL);
}

static void in_chroot(void) {
    must("chroot", chroot(directory_of(object)));
    must("chdir", chdir("/"));
    read_it(joined("", name_of(object)));
}

static void way_creat(void) { say(syscall(SYS_creat, object, 0600)); }

static struct file_handle *handle(int *mount) {
    struct file_handle *handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
    int id;
    handle->handle_bytes = MAX_HANDLE_SZ;
    must("name_to_handle_at", name_to_handle_at(AT_FDCWD, object, handle, &id, 0));
    *mount = (int)must("open the directory", open(directory_of(object), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return handle;
}

static void way_open_by_handle_at(void) {
    int mount;
    struct file_handle *it = handle(&mount);
    actor();
    say(syscall(SYS_open_by_handle_at, mount, it, O_RDONLY));
}

/* The credential as every updater replaces it: written beside, renamed over. Read in the same breath. */
static void after_replace(void) {
    write_text(other, "-----BEGIN OPENSSH PRIVATE KEY-----\nreplaced\n");
    must("rename", rename(other, object));
    actor();
    read_it(object);
}

static void after_creation(void) {
    write_text(object, "-----BEGIN OPENSSH PRIVATE KEY-----\ncreated\n");
    actor();
    read_it(object);
}

static void renamed_away(void) {
    must("rename", rename(object, other));
    actor();
    read_it(other);
}

static void renamed_back(void) {
    must("rename away", rename(object, other));
    must("rename back", rename(other, object));
    actor();
    read_it(object);
}

/* As the kubelet lays it out: the decoy is DIR/..1/token, DIR/token leads to ..data/token, and ..data to ..1. */
static void kubernetes_rotation(void) {
    const char *directory = other;
    must("mkdir", mkdir(joined(directory, "..2"), 0755));
    write_text(joined(directory, "..2/token"), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb3RhdGVkIn0.");
    must("symlink", symlink("..2", joined(directory, "..data_tmp")));
    must("rename", rename(joined(directory, "..data_tmp"), joined(directory, "..data")));
    actor();
    read_it(joined(directory, "token"));
}

static void denied_open(void) {
    nobody();
    say(syscall(SYS_open, object, O_RDONLY));
}
static void denied_openat(void) {
    nobody();
    read_it(object);
}
static void denied_openat2(void) {
    nobody();
    say(by_openat2(AT_FDCWD, object, O_RDONLY));
}
static void denied_openat2_in_root(void) {
    int directory = directory_descriptor();
    nobody();
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
    say(syscall(SYS_openat2, directory, joined("/", name_of(object)), &how, sizeof how));
}
static void denied_creat(void) {
    nobody();
    say(syscall(SYS_creat, object, 0600));
}
static void denied_relative(void) {
    int directory = directory_descriptor();
    actor();
    nobody();
    say(syscall(SYS_openat, directory, name_of(object), O_RDONLY));
}
static void denied_open_by_handle_at(void) {
    int mount;
    struct file_handle *it = handle(&mount);
    actor();
    nobody();
    say(syscall(SYS_open_by_handle_at, mount, it, O_RDONLY));
}

static void denied_by_name(const char *path) {
    actor();
    nobody();
    read_it(path);
}
static void denied_through_symlink(void) {
    must("symlink", symlink(object, other));
    denied_by_name(other);
}
static void denied_through_symlinked_directory(void) {
    must("symlink", symlink(directory_of(object), other));
    denied_by_name(joined(other, name_of(object)));
}
static void denied_through_hard_link(void) {
    must("link", link(object, other));
    denied_by_name(other);
}
static void denied_through_proc_root(void) { denied_by_name(joined("/proc/self/root", object + 1)); }
static void denied_through_bind_mount(void) {
    private_mounts();
    write_text(other, "");
    must("bind mount", mount(object, other, NULL, MS_BIND, NULL));
    denied_by_name(other);
}

/* A thread with mounts and a user of its own. For the others of its process a file of no interest lies at OTHER. */
static void *refused_thread(void *unused) {
    (void)unused;
    private_mounts();
    must("bind mount", mount(object, other, NULL, MS_BIND, NULL));
    must("setresuid", syscall(SYS_setresuid, 65534, 65534, 65534));
    read_it(other);
}
static void denied_through_mount_of_thread(void) {
    pthread_t thread;
    write_text(other, "");
    actor();
    errno = pthread_create(&thread, NULL, refused_thread, NULL);
    must("a thread", errno ? -1 : 0);
    pthread_join(thread, NULL);
}

/* Landlock refuses what the file's mode allows. */
static void refused_by_landlock(void) {
    struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
    int ruleset = (int)must("landlock", syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
    must("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    must("landlock", syscall(SYS_landlock_restrict_self, ruleset, 0));
    read_it(object);
}

/* The kernel opens it itself, for the accounts of a pid namespace that ends with the actor. */
static void acct_file(void) {
    int said[2], error = ECHILD;
    must("pipe", pipe2(said, O_CLOEXEC));
    must("unshare the pids", unshare(CLONE_NEWPID));
    pid_t child = (pid_t)must("fork", fork());
    if (child == 0) {
        error = acct(object) < 0 ? errno : 0;
        acct(NULL);
        _exit(write(said[1], &error, sizeof error) != sizeof error);
    }
    close(said[1]);
    must("what came of it", read(said[0], &error, sizeof error));
    waitpid(child, NULL, 0);
    if (error == ENOSYS) {
        errno = error;
        cannot("acct");
    }
    say_for(child, error);
}

/* Who does not wait for the holder of a lease opens nothing. */
static void denied_lease(void) {
    int file = opened();
    signal(SIGIO, SIG_IGN);
    must("a lease", fcntl(file, F_SETLEASE, F_WRLCK));
    actor();
    say(open(object, O_RDONLY | O_NONBLOCK));
}

const struct way open_ways[] = {
    {"acct_file", acct_file},
    {"open", way_open},
    {"openat", way_openat},
    {"openat2", way_openat2},
    {"open_large", open_large},
    {"relative_to_cwd", relative_to_cwd},
    {"relative_to_descriptor", relative_to_descriptor},
    {"openat2_in_root", openat2_in_root},
    {"symlink", through_symlink},
    {"symlinked_directory", through_symlinked_directory},
    {"hard_link", through_hard_link},
    {"proc_root", through_proc_root},
    {"proc_cwd", through_proc_cwd},
    {"proc_fd", through_proc_fd},
    {"proc_fd_of_another", through_proc_fd_of_another},
    {"proc_map_files", through_proc_map_files},
    {"thread", by_thread},
    {"chroot", in_chroot},
    {"creat", way_creat},
    {"open_by_handle_at", way_open_by_handle_at},
    {"after_replace", after_replace},
    {"after_creation", after_creation},
    {"renamed_away", renamed_away},
    {"renamed_back", renamed_back},
    {"kubernetes_rotation", kubernetes_rotation},
    {"denied_open", denied_open},
    {"denied_openat", denied_openat},
    {"denied_openat2", denied_openat2},
    {"denied_openat2_in_root", denied_openat2_in_root},
    {"denied_creat", denied_creat},
    {"denied_relative", denied_relative},
    {"denied_open_by_handle_at", denied_open_by_handle_at},
    {"denied_through_symlink", denied_through_symlink},
    {"denied_through_symlinked_directory", denied_through_symlinked_directory},
    {"denied_through_hard_link", denied_through_hard_link},
    {"denied_through_proc_root", denied_through_proc_root},
    {"denied_through_bind_mount", denied_through_bind_mount},
    {"denied_through_mount_of_thread", denied_through_mount_of_thread},
    {"refused_by_landlock", refused_by_landlock},
    {"denied_lease", denied_lease},
    {0},
};
