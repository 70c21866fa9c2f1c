/* Listings, copies, and what is no use of a credential at all. */
#include "ways.h"

#include <sys/inotify.h>
#include <sys/stat.h>

/* OBJECT is a directory. */
static void list(void) {
    char entries[4096];
    int directory = (int)must("open the directory", open(object, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    say(syscall(SYS_getdents64, directory, entries, sizeof entries));
}

/* To OTHER, which no rule names. */
static void copy(void) {
    char text[4096];
    int from = opened();
    long length = must("read", read(from, text, sizeof text));
    int to = (int)must("create the copy", open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    say(write(to, text, (size_t)length));
}

static void o_path(void) { say(syscall(SYS_openat, AT_FDCWD, object, O_PATH | O_CLOEXEC)); }
static void way_stat(void) {
    struct stat facts;
    say(syscall(SYS_newfstatat, AT_FDCWD, object, &facts, 0));
}
static void way_statx(void) {
    struct statx facts;
    say(syscall(SYS_statx, AT_FDCWD, object, 0, STATX_ALL, &facts));
}
static void way_access(void) { say(syscall(SYS_access, object, R_OK)); }
static void way_faccessat2(void) { say(syscall(SYS_faccessat2, AT_FDCWD, object, R_OK, AT_EACCESS)); }
static void denied_access(void) {
    nobody();
    say(syscall(SYS_access, object, R_OK));
}
static void way_name_to_handle_at(void) {
    struct file_handle *handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
    int mount;
    handle->handle_bytes = MAX_HANDLE_SZ;
    say(syscall(SYS_name_to_handle_at, AT_FDCWD, object, handle, &mount, 0));
}
static void inotify(void) {
    int notices = (int)must("inotify", inotify_init1(IN_CLOEXEC));
    say(syscall(SYS_inotify_add_watch, notices, object, IN_ACCESS));
}
/* OBJECT is a file of no interest. */
static void unrelated(void) { say(syscall(SYS_openat, AT_FDCWD, object, O_RDONLY | O_CLOEXEC)); }

const struct way other_ways[] = {
    {"list", list},
    {"copy", copy},
    {"o_path", o_path},
    {"stat", way_stat},
    {"statx", way_statx},
    {"access", way_access},
    {"faccessat2", way_faccessat2},
    {"denied_access", denied_access},
    {"name_to_handle_at", way_name_to_handle_at},
    {"inotify", inotify},
    {"unrelated", unrelated},
    {0},
};
