#include "copier.h"

char content[65536];
ssize_t length;

void fail(const char *what) {
    perror(what);
    _exit(1);
}

int checked(long result, const char *what) {
    if (result < 0)
        fail(what);
    return (int)result;
}

void take_from(int file) {
    length = pread(file, content, sizeof content, 0);
    if (length <= 0)
        fail("read");
}

void take(const char *from) {
    int file = checked(open(from, O_RDONLY | O_CLOEXEC), from);
    take_from(file);
    close(file);
}

void put(int file) {
    if (write(file, content, length) != length)
        fail("write");
}

void said_and_waited(void) {
    char line;
    if (write(1, "copied\n", 7) != 7 || read(0, &line, 1) < 0)
        fail("standard output");
}

int made(const char *to) {
    return checked(open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), to);
}

void send_file(int socket, int file) {
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

int receive_file(int socket) {
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

void connected(int ends[2]) { checked(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair"); }

void let(int end) {
    char byte = 0;
    checked(send(end, &byte, 1, 0), "send");
}

void await(int end) {
    char byte;
    if (recv(end, &byte, 1, 0) != 1)
        fail("the other one has ended");
}

void offer(int end, const char *to) {
    await(end);
    int file = made(to);
    checked(send(end, &file, sizeof file, 0), "send");
    await(end);
    _exit(0);
}

int offered(int end) {
    int number;
    checked(recv(end, &number, sizeof number, 0), "recv");
    return number;
}

void ended(pid_t child) {
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        fail("the child");
}
