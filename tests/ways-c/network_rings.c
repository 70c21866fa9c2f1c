/* The endpoint is asked by io_uring: at once, by a worker thread, by the thread that polls. */
#include "network.h"
#include "uring.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static _Noreturn void ask_by(unsigned setup, unsigned entry_flags) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, "169.254.169.254", &address.sin_addr);
    own_network();
    server_at(80);
    actor();
    struct uring uring = uring_new(setup);
    int to = (int)must("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    uring.entries[0] = (struct io_uring_sqe){
        .opcode = IORING_OP_CONNECT,
        .flags = (uint8_t)entry_flags,
        .fd = to,
        .addr = (uint64_t)(uintptr_t)&address,
        .off = sizeof address,
    };
    must("connect", uring_run(&uring, 1, 1));
    uring.entries[1] = (struct io_uring_sqe){
        .opcode = IORING_OP_SEND,
        .flags = (uint8_t)entry_flags,
        .fd = to,
        .addr = (uint64_t)(uintptr_t)role,
        .len = (uint32_t)strlen(role),
    };
    must("send", uring_run(&uring, 1, 1));
    answered(to, 1);
    say(0);
}

static void token_by_ring(void) { ask_by(0, 0); }
static void token_by_ring_worker(void) { ask_by(0, IOSQE_ASYNC); }
static void token_by_ring_polled(void) { ask_by(IORING_SETUP_SQPOLL, 0); }

const struct way network_ring_ways[] = {
    {"token_by_ring", token_by_ring},
    {"token_by_ring_worker", token_by_ring_worker},
    {"token_by_ring_polled", token_by_ring_polled},
    {0},
};
