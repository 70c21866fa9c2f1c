/* A program of somebody else's on the hooks of cgroups has connections to the endpoint go to another address, before the sensor's program sees them, or after. */
#include "network.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static long bpf(int command, union bpf_attr *attributes) { return syscall(SYS_bpf, command, attributes, sizeof *attributes); }

/* Where cgroups of v2 are mounted. */
static const char *cgroups(void) {
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    enum { CGROUP2 = 0x63677270 };
    for (int at = 0; at < 2; at++) {
        struct statfs about;
        if (statfs(places[at], &about) == 0 && about.f_type == CGROUP2)
            return places[at];
    }
    cannot("cgroups of v2 are not mounted");
}

/* Connections of this cgroup to 169.254.169.254 go to 127.0.0.1:8080, as long as this process lives. */
static void rewrite_in(const char *cgroup) {
    enum { ADDRESS = offsetof(struct bpf_sock_addr, user_ip4), PORT = offsetof(struct bpf_sock_addr, user_port) };
    struct bpf_insn program[] = {
        {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = ADDRESS},
        {.code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = 2, .off = 4, .imm = (int)htonl(0xa9fea9fe)},
        {.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 3, .imm = (int)htonl(0x7f000001)},
        {.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = 3, .off = ADDRESS},
        {.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 3, .imm = htons(8080)},
        {.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 1, .src_reg = 3, .off = PORT},
        {.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                           .expected_attach_type = BPF_CGROUP_INET4_CONNECT,
                           .insns = (uint64_t)(uintptr_t)program,
                           .insn_cnt = sizeof program / sizeof *program,
                           .license = (uint64_t)(uintptr_t) ""};
    int loaded = (int)must("a program that rewrites addresses", bpf(BPF_PROG_LOAD, &load));
    int directory = (int)must("the cgroup", open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    union bpf_attr link = {.link_create = {.prog_fd = (uint32_t)loaded,
                                           .target_fd = (uint32_t)directory,
                                           .attach_type = BPF_CGROUP_INET4_CONNECT}};
    must("it is attached", bpf(BPF_LINK_CREATE, &link));
}

static void asks_elsewhere(void) {
    int to = connected4();
    asks(to, role);
    answered(to, 1);
    say(0);
}

/* Programs of a cgroup run before those of the cgroups above it. */
static void token_rewritten_before(void) {
    own_network();
    server_at(8080);
    char name[64], own[128], members[160];
    snprintf(name, sizeof name, "claviger-rewrites-%d", (int)getpid());
    snprintf(own, sizeof own, "%s/%s", cgroups(), name);
    snprintf(members, sizeof members, "%s/cgroup.procs", own);
    must("a cgroup", mkdir(own, 0755));
    pid_t child;
    if (!part(&child)) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
        rmdir(own);
        _exit(0);
    }
    write_text(members, "0");
    rewrite_in(own);
    asks_elsewhere();
}

/* Programs of the same cgroup run in the order in which they were attached. */
static void token_rewritten_after(void) {
    own_network();
    server_at(8080);
    rewrite_in(cgroups());
    actor();
    asks_elsewhere();
}

const struct way rewrite_ways[] = {
    {"token_rewritten_before", token_rewritten_before},
    {"token_rewritten_after", token_rewritten_after},
    {0},
};
