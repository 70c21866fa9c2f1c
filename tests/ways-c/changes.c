/* Changes of the credential, by path and by descriptor. OTHER is a second path beside the home. */
#include "ways.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static const char ATTRIBUTE[] = "trusted.claviger";
static const char TEXT[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nchanged\n";

static _Noreturn void open_with(int flags) { say(syscall(SYS_openat, AT_FDCWD, object, flags | O_CLOEXEC, 0600)); }

/* A descriptor that the setup made, which is no part of the way. */
static int path_only(void) { return (int)must("open by O_PATH", open(object, O_PATH | O_CLOEXEC)); }
static int writable(void) { return (int)must("open for writing", open(object, O_WRONLY | O_CLOEXEC)); }

static void open_write(void) { open_with(O_WRONLY); }
static void open_append(void) { open_with(O_WRONLY | O_APPEND); }
static void open_read_write(void) { open_with(O_RDWR); }
static void open_truncate(void) { open_with(O_WRONLY | O_TRUNC); }
static void denied_write(void) {
    nobody();
    open_with(O_WRONLY);
}
/* A credential that was not there before. */
static void create(void) { open_with(O_WRONLY | O_CREAT | O_EXCL); }

static void way_truncate(void) { say(syscall(SYS_truncate, object, 3)); }
static void way_ftruncate(void) {
    int file = writable();
    actor();
    say(syscall(SYS_ftruncate, file, 3));
}

static void rename_from(void) { say(syscall(SYS_rename, object, other)); }
static void renameat_from(void) { say(syscall(SYS_renameat, AT_FDCWD, object, AT_FDCWD, other)); }
static void renameat2_from(void) { say(syscall(SYS_renameat2, AT_FDCWD, object, AT_FDCWD, other, RENAME_NOREPLACE)); }
static void chroot_rename(void) {
    from_chroot();
    say(syscall(SYS_rename, object, joined("", name_of(object))));
}
static void chroot_rename_to(void) {
    from_chroot();
    write_text("/moved", TEXT);
    actor();
    say(syscall(SYS_rename, "/moved", object));
}
/* A root has nothing above it, whatever a path says. */
static void chroot_unlink(void) {
    from_chroot();
    say(syscall(SYS_unlink, joined("../..", object)));
}
static void chroot_symlink(void) {
    from_chroot();
    say(syscall(SYS_symlink, object, "/way"));
}
static void chroot_chmod(void) {
    from_chroot();
    say(syscall(SYS_chmod, object, 0640));
}
/* By a directory that was opened before. */
static void chroot_fchmodat(void) {
    int directory = (int)must("open the directory", open(directory_of(object), O_PATH | O_DIRECTORY | O_CLOEXEC));
    must("chroot", chroot("/proc"));
    must("chdir", chdir("/"));
    say(syscall(SYS_fchmodat, directory, name_of(object), 0640));
}
/* From outside of the root, over which the way leads: there is nothing above it. */
static void chroot_over(void) {
    const char *root = directory_of(object);
    const char *above = directory_of(root);
    must("chdir", chdir(above));
    must("chroot", chroot(root));
    say(syscall(SYS_chmod, joined(joined(name_of(root), ".."), name_of(object)), 0640));
}
/* In a mount namespace of its own besides. */
static void chroot_unshared_rename(void) {
    private_mounts();
    chroot_rename();
}
static void rename_to(void) {
    write_text(other, TEXT);
    actor();
    say(syscall(SYS_rename, other, object));
}
/* The setup makes a credential and gives it another name at once; the actor opens it there. */
static _Noreturn void opened_elsewhere(void (*make)(void)) {
    int made[2], answer = 0;
    pid_t child;
    must("pipe", pipe2(made, O_CLOEXEC));
    write_text(joined(directory_of(other), "made"), TEXT);
    if (part(&child)) {
        must("read", read(made[0], &answer, sizeof answer));
        say(syscall(SYS_openat, AT_FDCWD, other, O_RDONLY | O_CLOEXEC));
    }
    make();
    must("write", write(made[1], &answer, sizeof answer));
    await(child);
}
static void make_and_rename(void) {
    close((int)must("create", open(object, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));
    must("rename", rename(object, other));
}
static void created_renamed(void) { opened_elsewhere(make_and_rename); }
static void replace_and_link(void) {
    must("rename", rename(joined(directory_of(other), "made"), object));
    must("link", link(object, other));
}
static void replaced_linked(void) { opened_elsewhere(replace_and_link); }
static void replace_and_rename(void) {
    must("rename", rename(joined(directory_of(other), "made"), object));
    must("rename", rename(object, other));
}
static void replaced_renamed(void) { opened_elsewhere(replace_and_rename); }
/* Object is there: the same call replaces it. */
static void rename_exchange(void) {
    write_text(other, TEXT);
    actor();
    say(syscall(SYS_renameat2, AT_FDCWD, other, AT_FDCWD, object, RENAME_EXCHANGE));
}
/* The directory of the decoy, to OTHER and from there. */
static void rename_directory(void) { say(syscall(SYS_rename, directory_of(object), other)); }
static void rename_directory_exchange(void) {
    must("make a directory", mkdir(other, 0700));
    actor();
    say(syscall(SYS_renameat2, AT_FDCWD, directory_of(object), AT_FDCWD, other, RENAME_EXCHANGE));
}
static void rename_directory_to(void) {
    must("make a directory", mkdir(other, 0700));
    write_text(joined(other, name_of(object)), TEXT);
    actor();
    say(syscall(SYS_rename, other, directory_of(object)));
}
static void denied_rename_directory(void) {
    nobody();
    say(syscall(SYS_rename, directory_of(object), other));
}
static void denied_rename(void) {
    nobody();
    say(syscall(SYS_rename, object, other));
}

static void way_link(void) { say(syscall(SYS_link, object, other)); }
static void way_linkat(void) { say(syscall(SYS_linkat, AT_FDCWD, object, AT_FDCWD, other, 0)); }
static void way_symlink(void) { say(syscall(SYS_symlink, object, other)); }
static void way_symlinkat(void) { say(syscall(SYS_symlinkat, object, AT_FDCWD, other)); }

static void way_unlink(void) { say(syscall(SYS_unlink, object)); }
static void way_unlinkat(void) { say(syscall(SYS_unlinkat, AT_FDCWD, object, 0)); }
static char raced[4096];

/* As soon as the decoy is gone, another path stands where the caller gave its own. */
static void *other_path(void *unused) {
    while (access(object, F_OK) == 0) {
    }
    memcpy(raced, "/tmp/nothing", sizeof "/tmp/nothing");
    return unused;
}

/* The kernel gives its pages back before the call ends, so the other thread has time. */
static void raced_unlink(void) {
    static char page[1 << 20];
    pthread_t one;
    int file = writable();
    for (int pages = 0; pages < 16; pages++)
        must("write", write(file, page, sizeof page));
    close(file);
    actor();
    strncpy(raced, object, sizeof raced - 1);
    errno = pthread_create(&one, NULL, other_path, NULL);
    must("a thread", errno ? -1 : 0);
    long result = syscall(SYS_unlink, raced);
    pthread_join(one, NULL);
    say(result);
}

/* The path lies in a page of a file that nobody has touched: the kernel has it fetched within the call. */
static const char *untouched(const char *path) {
    char text[4096] = {0};
    strncpy(text, path, sizeof text - 1);
    int file = (int)must("a file in memory", memfd_create("path", MFD_CLOEXEC));
    must("write", write(file, text, sizeof text));
    void *page = mmap(NULL, sizeof text, PROT_READ, MAP_PRIVATE, file, 0);
    must("map", page == MAP_FAILED ? -1 : 0);
    return page;
}
static void untouched_unlink(void) {
    const char *path = untouched(object);
    actor();
    say(syscall(SYS_unlink, path));
}
static void untouched_rename(void) {
    const char *from = untouched(object), *to = untouched(other);
    actor();
    say(syscall(SYS_rename, from, to));
}

/* The path of the credential is there at the beginning. The other one another thread gives when the kernel asks for it, which has read the first by then: OTHER
   is renamed to it. */
static char place[4096];
static void *give_other(void *faults) {
    static char path[4096];
    struct uffd_msg message;
    strncpy(path, other, sizeof path - 1);
    if (read((int)(intptr_t)faults, &message, sizeof message) == sizeof message) {
        struct uffdio_copy page = {
            .dst = message.arg.pagefault.address & ~4095ULL, .src = (uint64_t)(uintptr_t)path, .len = sizeof path};
        strcpy(place, "/nowhere/at/all");
        ioctl((int)(intptr_t)faults, UFFDIO_COPY, &page);
    }
    return NULL;
}
static void raced_rename(void) {
    pthread_t thread;
    struct uffdio_api api = {.api = UFFD_API};
    write_text(other, TEXT);
    actor();
    int faults = (int)must("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    must("userfaultfd's version", ioctl(faults, UFFDIO_API, &api));
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register of_page = {.range = {(uint64_t)(uintptr_t)page, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    must("faults of a page", ioctl(faults, UFFDIO_REGISTER, &of_page));
    strncpy(place, object, sizeof place - 1);
    must("a thread", -pthread_create(&thread, NULL, give_other, (void *)(intptr_t)faults));
    long result = syscall(SYS_rename, page, place);
    if (result < 0 && errno == ENOENT)
        cannot("the kernel reads the paths in another order");
    say(result);
}

/* A path across the end of a page. When the kernel asks for the second one, it has read what is in the first, which then says something else. */
static char *crossing;
static void *give_rest(void *faults) {
    static char rest[4096];
    struct uffd_msg message;
    size_t first = strlen(object) - 1;
    strncpy(rest, object + first, sizeof rest - 1);
    if (read((int)(intptr_t)faults, &message, sizeof message) == sizeof message) {
        struct uffdio_copy page = {
            .dst = message.arg.pagefault.address & ~4095ULL, .src = (uint64_t)(uintptr_t)rest, .len = sizeof rest};
        memset(crossing + 4096 - first, '/', first);
        ioctl((int)(intptr_t)faults, UFFDIO_COPY, &page);
    }
    return NULL;
}
static void crossed_unlink(void) {
    pthread_t thread;
    struct uffdio_api api = {.api = UFFD_API};
    size_t first = strlen(object) - 1;
    actor();
    int faults = (int)must("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC));
    must("userfaultfd's version", ioctl(faults, UFFDIO_API, &api));
    crossing = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(crossing + 4096 - first, object, first);
    struct uffdio_register second = {.range = {(uint64_t)(uintptr_t)crossing + 4096, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    must("faults of a page", ioctl(faults, UFFDIO_REGISTER, &second));
    must("a thread", -pthread_create(&thread, NULL, give_rest, (void *)(intptr_t)faults));
    say(syscall(SYS_unlink, crossing + 4096 - first));
}

static void denied_unlink(void) {
    nobody();
    say(syscall(SYS_unlink, object));
}

static void way_chmod(void) { say(syscall(SYS_chmod, object, 0640)); }
static void way_fchmodat(void) { say(syscall(SYS_fchmodat, AT_FDCWD, object, 0640)); }
static void way_fchmod(void) {
    int file = writable();
    actor();
    say(syscall(SYS_fchmod, file, 0640));
}
static void denied_chmod(void) {
    nobody();
    say(syscall(SYS_chmod, object, 0644));
}
static void way_chown(void) { say(syscall(SYS_chown, object, 65534, -1)); }
static void way_lchown(void) { say(syscall(SYS_lchown, object, 65534, -1)); }
static void way_fchownat(void) { say(syscall(SYS_fchownat, AT_FDCWD, object, 65534, -1, 0)); }
static void fchownat_of_descriptor(void) {
    int file = path_only();
    actor();
    say(syscall(SYS_fchownat, file, "", 65534, -1, AT_EMPTY_PATH));
}
static void way_fchown(void) {
    int file = writable();
    actor();
    say(syscall(SYS_fchown, file, 65534, -1));
}

static void way_setxattr(void) { say(syscall(SYS_setxattr, object, ATTRIBUTE, "1", 1, 0)); }
static void way_lsetxattr(void) { say(syscall(SYS_lsetxattr, object, ATTRIBUTE, "1", 1, 0)); }
static void way_fsetxattr(void) {
    int file = writable();
    actor();
    say(syscall(SYS_fsetxattr, file, ATTRIBUTE, "1", 1, 0));
}
static void way_removexattr(void) {
    must("setxattr", setxattr(object, ATTRIBUTE, "1", 1, 0));
    actor();
    say(syscall(SYS_removexattr, object, ATTRIBUTE));
}
/* 6.13. Without a path it is the descriptor that is meant (AT_EMPTY_PATH). */
static void setxattrat_without_path(void) {
    int file = writable();
    struct {
        unsigned long long value;
        unsigned size, flags;
    } attribute = {(unsigned long long)"1", 1, 0};
    actor();
    say(syscall(463, file, NULL, AT_EMPTY_PATH, ATTRIBUTE, &attribute, sizeof attribute));
}

const struct way change_ways[] = {
    {"open_write", open_write},
    {"open_append", open_append},
    {"open_read_write", open_read_write},
    {"open_truncate", open_truncate},
    {"denied_write", denied_write},
    {"create", create},
    {"truncate", way_truncate},
    {"ftruncate", way_ftruncate},
    {"rename_from", rename_from},
    {"renameat_from", renameat_from},
    {"renameat2_from", renameat2_from},
    {"chroot_rename", chroot_rename},
    {"chroot_rename_to", chroot_rename_to},
    {"chroot_unshared_rename", chroot_unshared_rename},
    {"chroot_unlink", chroot_unlink},
    {"chroot_symlink", chroot_symlink},
    {"chroot_chmod", chroot_chmod},
    {"chroot_fchmodat", chroot_fchmodat},
    {"chroot_over", chroot_over},
    {"rename_to", rename_to},
    {"rename_over", rename_to},
    {"created_renamed", created_renamed},
    {"replaced_linked", replaced_linked},
    {"replaced_renamed", replaced_renamed},
    {"rename_exchange", rename_exchange},
    {"denied_rename", denied_rename},
    {"rename_directory", rename_directory},
    {"rename_directory_exchange", rename_directory_exchange},
    {"rename_directory_to", rename_directory_to},
    {"denied_rename_directory", denied_rename_directory},
    {"link", way_link},
    {"linkat", way_linkat},
    {"symlink_to", way_symlink},
    {"symlinkat_to", way_symlinkat},
    {"unlink", way_unlink},
    {"unlinkat", way_unlinkat},
    {"raced_unlink", raced_unlink},
    {"untouched_unlink", untouched_unlink},
    {"untouched_rename", untouched_rename},
    {"raced_rename", raced_rename},
    {"crossed_unlink", crossed_unlink},
    {"denied_unlink", denied_unlink},
    {"chmod", way_chmod},
    {"fchmodat", way_fchmodat},
    {"fchmod", way_fchmod},
    {"denied_chmod", denied_chmod},
    {"chown", way_chown},
    {"lchown", way_lchown},
    {"fchownat", way_fchownat},
    {"fchownat_of_descriptor", fchownat_of_descriptor},
    {"fchown", way_fchown},
    {"setxattr", way_setxattr},
    {"lsetxattr", way_lsetxattr},
    {"fsetxattr", way_fsetxattr},
    {"removexattr", way_removexattr},
    {"setxattrat_without_path", setxattrat_without_path},
    {0},
};
