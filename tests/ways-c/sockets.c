/* Sockets of programs that hold keys. OBJECT is where one is to be, or its name in the abstract namespace behind an @. A child listens there and answers nothing. */
#include "ways.h"

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct sockaddr_un address;
/* Whether connections are left open: one that is closed at once may have no name any more when it is looked at, so that it is told by itself. */
static bool keeps;
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

static _Noreturn void serve(int listens) {
    for (;;) {
        int client = accept4(listens, NULL, NULL, SOCK_CLOEXEC);
        if (!keeps)
            close(client);
    }
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
        serve(listens);
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
    keeps = true;
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

/* An agent that goes into the background, as most do: who made the socket has ended, and TARGET is who answers. */
static void agent_socket_forked(void) {
    int ready[2];
    pid_t child, answers = 0;
    named(object);
    must("pipe", pipe2(ready, O_CLOEXEC));
    if (part(&child)) {
        int listens = (int)must("socket", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        must("bind", bind(listens, (struct sockaddr *)&address, address_length));
        must("listen", listen(listens, 16));
        pid_t behind = (pid_t)must("fork", fork());
        if (behind != 0)
            _exit(0);
        pid_t own = getpid();
        must("write", write(ready[1], &own, sizeof own));
        close(ready[1]);
        /* It ends with the client, which closes what it was connected by, and connects no more. */
        char nothing;
        alarm(60);
        int client = (int)must("accept", accept4(listens, NULL, NULL, SOCK_CLOEXEC));
        while (read(client, &nothing, 1) > 0) {
        }
        _exit(0);
    }
    must("read", read(ready[0], &answers, sizeof answers));
    must("its maker has ended", waitpid(child, NULL, 0));
    target = answers;
    actor();
    say(connects());
}
/* Of one user, used by another one. */
static void agent_socket_of_another_user(void) {
    int ready[2], answer = 0;
    pid_t child;
    named(object);
    must("pipe", pipe2(ready, O_CLOEXEC));
    if (part(&child)) {
        int listens = (int)must("socket", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        must("bind", bind(listens, (struct sockaddr *)&address, address_length));
        must("anybody may connect", chmod(object, 0777));
        must("another group", setresgid(1000, 1000, 1000));
        must("another user", setresuid(1000, 1000, 1000));
        /* The kernel forgets this with the user. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        must("listen", listen(listens, 16));
        must("write", write(ready[1], &answer, sizeof answer));
        serve(listens);
    }
    must("read", read(ready[0], &answer, sizeof answer));
    target = child;
    actor();
    nobody();
    say(connects());
}

const struct way socket_ways[] = {
    {"agent_socket_forked", agent_socket_forked},
    {"agent_socket_of_another_user", agent_socket_of_another_user},
    {"agent_socket", agent_socket},
    {"agent_socket_again", agent_socket_again},
    {"agent_socket_relative", agent_socket_relative},
    {"denied_agent_socket", denied_agent_socket},
    {0},
};
