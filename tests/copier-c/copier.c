/*
 * `copier HOW FROM TO` copies a decoy in a way that hides the copy, says `copied`, and waits for a line, or its end, on standard input.
 *
 * In C, for the system calls that it is about; static, so that it runs anywhere.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char content[65536];
static ssize_t length;

static void fail(const char *what) {
    perror(what);
    _exit(1);
}

static int checked(int result, const char *what) {
    if (result < 0)
        fail(what);
    return result;
}

static void take_from(int file) {
    length = pread(file, content, sizeof content, 0);
    if (length <= 0)
        fail("read");
}

static void take(const char *from) {
    int file = checked(open(from, O_RDONLY | O_CLOEXEC), from);
    take_from(file);
    close(file);
}

static void put(int file) {
    if (write(file, content, length) != length)
        fail("write");
}

static void said_and_waited(void) {
    char line;
    if (write(1, "copied\n", 7) != 7 || read(0, &line, 1) < 0)
        fail("standard output");
}

static int made(const char *to) {
    return checked(open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), to);
}

/* In the directory above the name that it gets. */
static int unnamed(const char *to) {
    char directory[4096];
    strncpy(directory, to, sizeof directory - 1);
    *strrchr(directory, '/') = 0;
    return checked(open(directory, O_TMPFILE | O_RDWR, 0600), directory);
}

static void link_to(int file, const char *to) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    checked(linkat(AT_FDCWD, name, AT_FDCWD, to, AT_SYMLINK_FOLLOW), to);
}

static void send_file(int socket, int file) {
    char control[CMSG_SPACE(sizeof file)] = {0}, byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(header), &file, sizeof file);
    checked(sendmsg(socket, &message, 0), "sendmsg");
}

static int receive_file(int socket) {
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int file;
    checked(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), "recvmsg");
    if (!CMSG_FIRSTHDR(&message))
        fail("no descriptor came");
    memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof file);
    return file;
}

int main(int count, char **arguments) {
    if (count != 4)
        return 64;
    const char *how = arguments[1], *from = arguments[2], *to = arguments[3];
    if (!strcmp(how, "plain")) {
        take(from);
        put(made(to));
        said_and_waited();
    } else if (!strcmp(how, "unnamed")) {
        take(from);
        int file = unnamed(to);
        put(file);
        said_and_waited();
        link_to(file, to);
    } else if (!strcmp(how, "unnamed-quick")) {
        take(from);
        int file = unnamed(to);
        put(file);
        link_to(file, to);
    } else if (!strcmp(how, "memory")) {
        take(from);
        put(checked(memfd_create("scratch", MFD_CLOEXEC), "memfd_create"));
        said_and_waited();
    } else if (!strcmp(how, "forked")) {
        take(from);
        pid_t child = checked(fork(), "fork");
        int status;
        if (child == 0) {
            put(made(to));
            _exit(0);
        }
        if (waitpid(child, &status, 0) != child || status != 0)
            fail("the child");
        said_and_waited();
    } else if (!strcmp(how, "received")) {
        int ends[2];
        checked(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), "socketpair");
        /* Before there is a copy to be made: what this process opens is not looked at yet. */
        int file = made(to);
        pid_t child = checked(fork(), "fork");
        if (child == 0) {
            int original = checked(open(from, O_RDONLY), from);
            send_file(ends[1], original);
            _exit(0);
        }
        take_from(receive_file(ends[0]));
        put(file);
        said_and_waited();
    } else if (!strcmp(how, "executed")) {
        int ends[2];
        checked(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), "socketpair");
        /* It is under way while the original is read, so neither its making nor the reading shows it. The next program has it open. */
        int file = checked(memfd_create("scratch", MFD_CLOEXEC), "memfd_create");
        send_file(ends[1], file);
        close(file);
        take(from);
        file = receive_file(ends[0]);
        put(file);
        checked(fcntl(file, F_SETFD, 0), "fcntl");
        checked(execl(arguments[0], arguments[0], "wait", from, to, (char *)NULL), "exec");
    } else if (!strcmp(how, "wait")) {
        said_and_waited();
    } else {
        return 64;
    }
    return 0;
}
