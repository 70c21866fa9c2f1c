/* What a file system does at a request of its own (ioctl): no call opens the file. */
#include "ways.h"

#include <linux/types.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* fs/xfs/libxfs/xfs_fs.h */
struct xfs_request {
    __u32 fd;
    const void *path;
    __u32 flags;
    const void *in;
    __u32 in_length;
    void *out;
    __u32 *out_length;
};
#define XFS_PATH_TO_FSHANDLE _IOWR('X', 104, struct xfs_request)
#define XFS_PATH_TO_HANDLE _IOWR('X', 105, struct xfs_request)
#define XFS_OPEN_BY_HANDLE _IOWR('X', 107, struct xfs_request)

/* include/uapi/linux/btrfs.h */
struct send_request {
    __s64 to;
    __u64 clone_sources;
    const __u64 *sources;
    __u64 parent;
    __u64 flags;
    __u32 version;
    __u8 reserved[28];
};
struct search_request {
    __u64 tree, objectid_min, objectid_max, offset_min, offset_max, transid_min, transid_max;
    __u32 type_min, type_max, items, unused;
    __u64 unused_too[4];
    char found[4096 - 104];
};
#define BTRFS_SEND _IOW(0x94, 38, struct send_request)
/* As 32-bit programs lay it out. */
struct send_request_32 {
    __s64 to;
    __u64 clone_sources;
    __u32 sources;
    __u64 parent;
    __u64 flags;
    __u32 version;
    __u8 reserved[28];
} __attribute__((packed));
#define BTRFS_SEND_32 _IOW(0x94, 38, struct send_request_32)
#define BTRFS_TREE_SEARCH _IOWR(0x94, 17, struct search_request)
#define EXTENT_DATA 108
#define ROOT_TREE 1
#define ROOT_ITEM 132

static int directory(void) { return (int)must("open the directory", open(directory_of(object), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

static void xfs_open(unsigned flags) {
    char handle[64];
    __u32 length = sizeof handle;
    int at = directory();
    struct xfs_request name = {.path = object, .out = handle, .out_length = &length};
    must("make a handle", ioctl(at, XFS_PATH_TO_HANDLE, &name));
    actor();
    struct xfs_request open_it = {.flags = O_RDONLY | flags, .in = handle, .in_length = length};
    say(ioctl(at, XFS_OPEN_BY_HANDLE, &open_it));
}
static void xfs_open_by_handle(void) { xfs_open(0); }
/* With the kernel's own flag of what it opens to run it. */
static void xfs_open_to_run(void) { xfs_open(0x20); }

/* Closes what is sent once it is on its way, and only then reads on. */
struct sent {
    int at, from;
};
static void *close_and_read(void *argument) {
    struct sent *sent = argument;
    struct pollfd readable = {.fd = sent->from, .events = POLLIN};
    char bytes[4096];
    poll(&readable, 1, -1);
    close(sent->at);
    while (read(sent->from, bytes, sizeof bytes) > 0) {
    }
    return NULL;
}

/* The object's directory is a subvolume that cannot be written, and holds more than a pipe takes. */
static void btrfs_send_closed(void) {
    actor();
    int ends[2], at = directory();
    pthread_t reader;
    must("pipe", pipe2(ends, O_CLOEXEC));
    must("make the pipe small", fcntl(ends[1], F_SETPIPE_SZ, 4096));
    struct sent sent = {at, ends[0]};
    struct send_request send = {.to = ends[1]};
    if (pthread_create(&reader, NULL, close_and_read, &sent) != 0)
        cannot("make a thread");
    say(ioctl(at, BTRFS_SEND, &send));
}

static void btrfs_send_32(void) {
    int at = directory(), to = (int)must("make a file in memory", memfd_create("sent", MFD_CLOEXEC));
    actor();
    struct send_request_32 send = {.to = to};
    say(ioctl(at, BTRFS_SEND_32, &send));
}

static void search(int at, __u64 tree, __u64 from, __u64 to, __u32 type_from, __u32 type_to) {
    struct search_request search = {.tree = tree, .objectid_min = from, .objectid_max = to, .offset_max = -1, .transid_max = -1, .type_min = type_from, .type_max = type_to, .items = 16};
    say(ioctl(at, BTRFS_TREE_SEARCH, &search));
}

static void btrfs_search(void) {
    int at = directory();
    actor();
    search(at, 0, 0, -1, EXTENT_DATA, EXTENT_DATA);
}
/* The bounds of the type are those of the first and the last file only. */
static void btrfs_search_across(void) {
    int at = directory();
    actor();
    search(at, 0, 256, -1, 255, 0);
}
/* What one file has beside what it holds. */
static void btrfs_search_beside(void) {
    int at = directory();
    actor();
    search(at, 0, 257, 257, 0, EXTENT_DATA - 1);
}

/* As what lists subvolumes does. */
static void btrfs_list(void) {
    int at = directory();
    actor();
    search(at, ROOT_TREE, 0, -1, ROOT_ITEM, ROOT_ITEM);
}

const struct way request_ways[] = {
    {"xfs_open_by_handle", xfs_open_by_handle},
    {"xfs_open_to_run", xfs_open_to_run},
    {"btrfs_send_closed", btrfs_send_closed},
    {"btrfs_send_32", btrfs_send_32},
    {"btrfs_search", btrfs_search},
    {"btrfs_search_across", btrfs_search_across},
    {"btrfs_search_beside", btrfs_search_beside},
    {"btrfs_list", btrfs_list},
    {0},
};
