/* Sockets of programs that hold keys. OBJECT is where one is to be, or its name in the abstract namespace behind an @. A child listens there and answers nothing. */
#include "ways.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct sockaddr_un address;
static socklen_t address_length;

static void named(const char *name) {
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (*name == '@')
        address.sun_path[0] = 0;
    address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*name != '@'));
}

/* The child that listens; TARGET is its pid. */
static void listener(void) {
    int ready[2], answer = 0;
    pid_t child;
    named(object);
    must("pipe", pipe2(ready, O_CLOEXEC));
    if (part(&child)) {
        int listens = (int)must("socket", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        must("bind", bind(listens, (struct sockaddr *)&address, address_length));
        if (*object != '@')
            must("anybody may connect", chmod(object, 0777));
        must("listen", listen(listens, 16));
        must("write", write(ready[1], &answer, sizeof answer));
        for (;;)
            close(accept4(listens, NULL, NULL, SOCK_CLOEXEC));
    }
    must("read", read(ready[0], &answer, sizeof answer));
    target = child;
}

static long connects(void) {
    int to = (int)must("socket", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return syscall(SYS_connect, to, &address, address_length);
}

static void agent_socket(void) {
    listener();
    actor();
    say(connects());
}
/* Many times, by one program. */
static void agent_socket_again(void) {
    listener();
    actor();
    for (int turn = 0; turn < 9; turn++)
        must("connect", connects());
    say(connects());
}
static void agent_socket_relative(void) {
    listener();
    must("chdir", chdir(directory_of(object)));
    named(name_of(object));
    actor();
    say(connects());
}
static void denied_agent_socket(void) {
    listener();
    must("nobody may connect", chmod(object, 0700));
    actor();
    nobody();
    say(connects());
}

const struct way socket_ways[] = {
    {"agent_socket", agent_socket},
    {"agent_socket_again", agent_socket_again},
    {"agent_socket_relative", agent_socket_relative},
    {"denied_agent_socket", denied_agent_socket},
    {0},
};
