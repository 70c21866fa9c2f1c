/* The same object through other mounts. All of them are in a mount namespace that ends with the process. */
#include "ways.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static _Noreturn void read_it(const char *path) { say(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)); }

/* OTHER is a file. */
static void bind_mount(void) {
    private_mounts();
    write_text(other, "");
    must("bind mount", mount(object, other, NULL, MS_BIND, NULL));
    actor();
    read_it(other);
}

/* OTHER is a directory to be made. */
static void bind_mounted_directory(void) {
    private_mounts();
    must("mkdir", mkdir(other, 0755));
    must("bind mount", mount(directory_of(object), other, NULL, MS_BIND, NULL));
    actor();
    read_it(joined(other, name_of(object)));
}

static int detached(void) {
    return (int)must("open_tree", syscall(SYS_open_tree, AT_FDCWD, directory_of(object), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

static void detached_mount(void) {
    int tree = detached();
    actor();
    say(syscall(SYS_openat, tree, name_of(object), O_RDONLY));
}

/* A mount of the file itself, which lies at no path. */
static void detached_file(void) {
    char path[64];
    int tree = (int)must("open_tree", syscall(SYS_open_tree, AT_FDCWD, object, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    snprintf(path, sizeof path, "/proc/self/fd/%d", tree);
    actor();
    say(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY));
}

/* A user namespace in which the host's ids are others. */
static int shifted_ids(void) {
    pid_t child;
    int ready[2];
    char byte = 0, path[64], line[] = "0 100000 65536\n";
    must("pipe", pipe2(ready, O_CLOEXEC));
    if (part(&child)) {
        long made = unshare(CLONE_NEWUSER);
        byte = made < 0 ? (char)errno : 0;
        _exit(write(ready[1], &byte, 1) == 1 ? pause() : 1);
    }
    must("read", read(ready[0], &byte, 1));
    errno = byte;
    must("a user namespace", byte ? -1 : 0);
    for (int group = 0; group < 2; group++) {
        snprintf(path, sizeof path, "/proc/%d/%s", child, group ? "gid_map" : "uid_map");
        int map = (int)must("open the map of ids", open(path, O_WRONLY | O_CLOEXEC));
        must("map the ids", write(map, line, sizeof line - 1));
        close(map);
    }
    snprintf(path, sizeof path, "/proc/%d/ns/user", child);
    int namespace = (int)must("open the user namespace", open(path, O_RDONLY | O_CLOEXEC));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return namespace;
}

static void idmapped_mount(void) {
    int tree = detached();
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)shifted_ids()};
    must("an idmapped mount", syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
    actor();
    say(syscall(SYS_openat, tree, name_of(object), O_RDONLY));
}

/* An overlay in OTHER, a directory to be made: its layers are the decoy's directory and an empty one. */
static const char *overlay(bool decoy_below) {
    const char *empty = joined(other, "empty"), *work = joined(other, "work"), *merged = joined(other, "merged");
    char options[4096];
    must("mkdir", mkdir(other, 0755));
    must("mkdir", mkdir(empty, 0755));
    must("mkdir", mkdir(merged, 0755));
    must("mkdir", mkdir(work, 0755));
    const char *with_decoy = directory_of(object);
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", decoy_below ? with_decoy : empty,
             decoy_below ? empty : with_decoy, work);
    private_mounts();
    must("mount overlay", mount("overlay", merged, "overlay", 0, options));
    return merged;
}

static void through(bool decoy_below) {
    const char *merged = overlay(decoy_below);
    actor();
    read_it(joined(merged, name_of(object)));
}

static void overlay_lower(void) { through(true); }
static void overlay_upper(void) { through(false); }

/* The layer itself, while it is one. */
static void overlay_lower_directly(void) {
    overlay(true);
    actor();
    read_it(object);
}
static void overlay_upper_directly(void) {
    overlay(false);
    actor();
    read_it(object);
}

/* A write through the overlay makes a copy in the upper layer, which is a credential too; it is read through the overlay. */
static void overlay_copied_up(void) {
    const char *path = joined(overlay(true), name_of(object));
    int file = (int)must("open for writing", open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
    must("write", write(file, "\n", 1));
    close(file);
    actor();
    read_it(path);
}

/* The same in an overlay on that one, where the file below is the overlay's and not the decoy itself. */
static void overlay_copied_up_above(void) {
    char options[4096];
    const char *lower = overlay(true), *above = joined(other, "above"), *upper = joined(other, "upper"), *work = joined(other, "work_above");
    must("mkdir", mkdir(above, 0755));
    must("mkdir", mkdir(upper, 0755));
    must("mkdir", mkdir(work, 0755));
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
    must("mount overlay", mount("overlay", above, "overlay", 0, options));
    const char *path = joined(above, name_of(object));
    must("chmod", chmod(path, 0640));
    actor();
    read_it(path);
}

/* A file whose metadata is of one layer and whose content is that of the decoy in another, in OTHER, a directory to be made. It has a name of no
   interest. Where the other layer is there for data alone (6.5), nothing else of it is shown. Returns where it is mounted. */
static const char *shown_elsewhere(bool for_data_alone) {
    char options[4096];
    struct stat facts;
    must("mkdir", mkdir(other, 0755));
    private_mounts();
    must("mount tmpfs", mount("tmpfs", other, "tmpfs", 0, NULL));
    const char *layer = joined(other, "layer"), *merged = joined(other, "merged");
    must("mkdir", mkdir(layer, 0755));
    must("mkdir", mkdir(merged, 0755));
    const char *shown = joined(layer, "innocent"), *at = joined("", name_of(object));
    write_text(shown, "");
    must("stat", stat(object, &facts));
    must("truncate", truncate(shown, facts.st_size));
    must("say that its content is elsewhere", setxattr(shown, "trusted.overlay.metacopy", "", 0, 0));
    must("say where", setxattr(shown, "trusted.overlay.redirect", at, strlen(at), 0));
    snprintf(options, sizeof options, "lowerdir=%s%s%s,metacopy=on,redirect_dir=follow", layer, for_data_alone ? "::" : ":",
             directory_of(object));
    must("mount overlay", mount("overlay", merged, "overlay", 0, options));
    return merged;
}

static void overlay_metacopy(void) {
    const char *merged = shown_elsewhere(false);
    actor();
    read_it(joined(merged, "innocent"));
}
static void overlay_data_only(void) {
    const char *merged = shown_elsewhere(true);
    actor();
    read_it(joined(merged, "innocent"));
}

/* An overlay on such a one. */
static void overlay_on_overlay(void) {
    char options[4096];
    const char *lower = shown_elsewhere(true), *empty = joined(other, "empty"), *above = joined(other, "above");
    must("mkdir", mkdir(empty, 0755));
    must("mkdir", mkdir(above, 0755));
    snprintf(options, sizeof options, "lowerdir=%s:%s", empty, lower);
    must("mount overlay", mount("overlay", above, "overlay", 0, options));
    actor();
    read_it(joined(above, "innocent"));
}

/* A program that inherits it open. */
static void overlay_data_inherited(void) {
    int file = (int)must("open", open(joined(shown_elsewhere(true), "innocent"), O_RDONLY));
    actor();
    (void)file;
    execl("/proc/self/exe", arguments[0], "inherited", NULL);
    cannot("execve");
}

const struct way mount_ways[] = {
    {"bind_mount", bind_mount},
    {"bind_mounted_directory", bind_mounted_directory},
    {"detached_mount", detached_mount},
    {"detached_file", detached_file},
    {"idmapped_mount", idmapped_mount},
    {"overlay_lower", overlay_lower},
    {"overlay_upper", overlay_upper},
    {"overlay_lower_directly", overlay_lower_directly},
    {"overlay_upper_directly", overlay_upper_directly},
    {"overlay_copied_up", overlay_copied_up},
    {"overlay_copied_up_above", overlay_copied_up_above},
    {"overlay_metacopy", overlay_metacopy},
    {"overlay_data_only", overlay_data_only},
    {"overlay_on_overlay", overlay_on_overlay},
    {"overlay_data_inherited", overlay_data_inherited},
    {0},
};
