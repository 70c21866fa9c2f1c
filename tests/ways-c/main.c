/*
 * `ways NAME OBJECT [OTHER]` does one way to a secret once, on a decoy, and prints one line of JSON on what it itself did:
 *
 *     {"way":"openat","pid":4711,"ok":true,"errno":0,"target":0}
 *     {"way":"overlay_lower","cannot":"mount overlay: No such device"}
 *
 * Without arguments it prints the names.
 *
 * The sensor's tests compare what the sensor says with this line and never the other way round.
 *
 * In C, because the ways are system calls with pointers in them, some without a wrapper in any library: that is C's own form, and the house
 * has no unsafe Rust outside the kernel's room.
 *
 * Whatever a way makes goes with its processes: mounts are in a mount namespace of their own, keys in a session keyring of their own, files
 * in the directory that the test names and removes.
 */
#include "ways.h"

#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

const char *object = "", *other = "";
char **arguments;
long target;
static const char *way_name = "";

int main(int count, char **values) {
    static const struct way *const families[] = {open_ways,   compat_ways, uring_ways, ring_ways, descriptor_ways, mount_ways,
                                                 change_ways, secret_ways, key_ways,   attack_ways, hold_ways,     namespace_ways,
                                                 raced_ways,  other_ways,  request_ways, ring_end_ways,
                                                 answered_ways, network_ways, network_ring_ways, rewrite_ways, socket_ways};
    arguments = values;
    way_name = count > 1 ? values[1] : "";
    object = count > 2 ? values[2] : "";
    other = count > 3 ? values[3] : "";
    if (getauxval(AT_EXECFD))
        say(0);
    for (size_t family = 0; family < sizeof families / sizeof *families; family++)
        for (const struct way *way = families[family]; way->name; way++)
            if (count < 2)
                puts(way->name);
            else if (strcmp(way->name, way_name) == 0)
                way->go();
    if (count < 2)
        return 0;
    fprintf(stderr, "ways: no way is called %s\n", way_name);
    return 2;
}

static void hold(void) {
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

static void print(pid_t pid, int error) {
    char line[512];
    int length = snprintf(line, sizeof line, "{\"way\":\"%s\",\"pid\":%d,\"ok\":%s,\"errno\":%d,\"target\":%ld}\n", way_name, pid,
                          error == 0 ? "true" : "false", error, target);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(1);
}

_Noreturn void say(long result) {
    print(getpid(), result < 0 ? errno : 0);
    hold();
    _exit(0);
}

_Noreturn void say_for(pid_t pid, int error) {
    print(pid, error);
    _exit(0);
}

_Noreturn void cannot(const char *step) {
    char line[512];
    int length = snprintf(line, sizeof line, "{\"way\":\"%s\",\"cannot\":\"%s: %s\"}\n", way_name, step, strerror(errno));
    _exit(write(STDOUT_FILENO, line, (size_t)length) != length);
}

long must(const char *step, long result) {
    if (result < 0)
        cannot(step);
    return result;
}

bool part(pid_t *child) {
    pid_t parent = getpid();
    *child = (pid_t)must("fork", fork());
    if (*child != 0)
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // It may have ended before.
    if (getppid() != parent)
        _exit(1);
    return true;
}

void actor(void) {
    pid_t child;
    if (!part(&child))
        await(child);
}

_Noreturn void await(pid_t child) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    _exit(0);
}

const char *directory_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash != path ? strndup(path, (size_t)(slash - path)) : "/";
}

const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void from_chroot(void) {
    const char *root = directory_of(directory_of(object));
    must("chroot", chroot(root));
    must("chdir", chdir("/"));
    object += strlen(root);
}
const char *joined(const char *directory, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
    return path;
}

void nobody(void) {
    must("setresgid", setresgid(65534, 65534, 65534));
    must("setresuid", setresuid(65534, 65534, 65534));
}

void private_mounts(void) {
    must("unshare the mounts", unshare(CLONE_NEWNS));
    must("make the mounts private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

int opened(void) { return (int)must("open the decoy", open(object, O_RDONLY | O_CLOEXEC)); }

void write_text(const char *path, const char *text) {
    int file = (int)must("create a file", open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    must("write a file", write(file, text, strlen(text)));
    close(file);
}
