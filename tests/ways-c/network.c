/* What is asked of token endpoints, in a network namespace of the way's own, where they have their addresses. A child answers each request with 200 and no body. */
#include "network.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Not in a header that goes with the others. */
struct in6_ifreq {
    struct in6_addr address;
    uint32_t prefix;
    int index;
};

static const char token[] = "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\n"
                            "X-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n\r\n";
const char role[] = "GET /latest/meta-data/iam/security-credentials/billing HTTP/1.1\r\nHost: 169.254.169.254\r\n"
                           "X-aws-ec2-metadata-token: wJalrXUtnFEMIK7MDENGDECOYTOKEN\r\n\r\n";
static const char region[] = "GET /latest/meta-data/placement/region HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";

/* The loopback device with both addresses of the endpoint. */
void own_network(void) {
    must("a network namespace", unshare(CLONE_NEWNET));
    int any = (int)must("socket", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    must("the loopback device", ioctl(any, SIOCSIFFLAGS, &up));
    struct ifreq address = {.ifr_name = "lo:1"};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address.ifr_addr;
    v4->sin_family = AF_INET;
    must("an address", inet_pton(AF_INET, "169.254.169.254", &v4->sin_addr) == 1 ? 0 : -1);
    must("the address of the endpoint", ioctl(any, SIOCSIFADDR, &address));
    close(any);
    int any6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct in6_ifreq six = {.prefix = 128, .index = (int)if_nametoindex("lo")};
    if (any6 >= 0 && inet_pton(AF_INET6, "fd00:ec2::254", &six.address) == 1)
        must("the address of the endpoint by IPv6", ioctl(any6, SIOCSIFADDR, &six));
}

static void serve(int listener) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        char asked[4096];
        size_t held = 0;
        for (ssize_t came; client >= 0 && (came = read(client, asked + held, sizeof asked - 1 - held)) > 0;) {
            held += (size_t)came;
            asked[held] = 0;
            for (char *end; (end = strstr(asked, "\r\n\r\n"));) {
                if (write(client, answer, sizeof answer - 1) < 0)
                    break;
                held -= (size_t)(end + 4 - asked);
                memmove(asked, end + 4, held + 1);
            }
        }
        close(client);
    }
}

/* A server on all addresses; it ends with its parent. */
void server_at(uint16_t port) {
    int listener = (int)must("socket", socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in6 all = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int off = 0;
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    must("bind", bind(listener, (struct sockaddr *)&all, sizeof all));
    must("listen", listen(listener, 16));
    pid_t child;
    if (!part(&child))
        return;
    serve(listener);
}

static void server(void) { server_at(80); }

static int connected4_at(uint16_t port) {
    int to = (int)must("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int on = 1;
    setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "169.254.169.254", &address.sin_addr);
    must("connect", connect(to, (struct sockaddr *)&address, sizeof address));
    return to;
}
int connected4(void) { return connected4_at(80); }

static int connected6(const char *text) {
    int to = (int)must("socket", socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    inet_pton(AF_INET6, text, &address.sin6_addr);
    must("connect", connect(to, (struct sockaddr *)&address, sizeof address));
    return to;
}

/* Waits for so many answers. */
void answered(int to, int count) {
    char answer[4096];
    size_t held = 0;
    while (count > 0) {
        ssize_t came = must("an answer", read(to, answer + held, sizeof answer - 1 - held));
        if (came == 0)
            must("an answer", -1);
        held += (size_t)came;
        answer[held] = 0;
        for (char *end; (end = strstr(answer, "\r\n\r\n")); count--) {
            held -= (size_t)(end + 4 - answer);
            memmove(answer, end + 4, held + 1);
        }
    }
}

void asks(int to, const char *request) { must("write", write(to, request, strlen(request))); }

/* Waits until the other end has all: what was written may be sent later. */
static void delivered(int to) {
    int left = 1;
    for (int waited = 0; left > 0; waited++) {
        must("what is not sent", ioctl(to, SIOCOUTQ, &left));
        if (left > 0 && waited == 5000) {
            errno = ETIME;
            cannot("send it all");
        }
        if (left > 0)
            usleep(1000);
    }
}

static void token_call(void) {
    own_network();
    server();
    actor();
    int to = connected4();
    asks(to, token);
    answered(to, 1);
    asks(to, role);
    answered(to, 1);
    asks(to, region);
    answered(to, 1);
    say(0);
}

static void token_by_six(void) {
    own_network();
    server();
    actor();
    int to = connected6("fd00:ec2::254");
    asks(to, role);
    answered(to, 1);
    say(0);
}

static void token_by_mapped(void) {
    own_network();
    server();
    actor();
    int to = connected6("::ffff:169.254.169.254");
    asks(to, role);
    answered(to, 1);
    say(0);
}

/* Two requests at once, and each byte by itself. */
static void token_pipelined(void) {
    own_network();
    server();
    actor();
    int to = connected4();
    char both[sizeof token + sizeof role];
    strcpy(both, token);
    strcat(both, role);
    for (const char *byte = both; *byte; byte++)
        must("write", write(to, byte, 1));
    answered(to, 2);
    say(0);
}

/* A ClientHello of TLS 1.2 with one cipher suite, with this name, or without one; returns its length. */
static size_t hello(unsigned char *out, const char *name) {
    size_t length = name ? strlen(name) : 0, extensions = name ? 9 + length : 0;
    size_t body = 2 + 32 + 1 + 4 + 2 + 2 + extensions, at = 0;
    unsigned char head[] = {0x16, 3, 1, (unsigned char)((body + 4) >> 8), (unsigned char)(body + 4),
                            1,    0, (unsigned char)(body >> 8), (unsigned char)body, 3, 3};
    memcpy(out, head, sizeof head);
    at = sizeof head;
    memset(out + at, 7, 32);
    at += 32;
    unsigned char rest[] = {0, 0, 2, 0x13, 1, 1, 0, (unsigned char)(extensions >> 8), (unsigned char)extensions};
    memcpy(out + at, rest, sizeof rest);
    at += sizeof rest;
    if (name) {
        unsigned char extension[] = {0, 0, (unsigned char)((length + 5) >> 8), (unsigned char)(length + 5),
                                     (unsigned char)((length + 3) >> 8), (unsigned char)(length + 3),
                                     0, (unsigned char)(length >> 8), (unsigned char)length};
        memcpy(out + at, extension, sizeof extension);
        memcpy(out + at + sizeof extension, name, length);
        at += sizeof extension + length;
    }
    return at;
}

/* Answers each question on this socket with the address of the endpoint. */
static void resolve(int by) {
    for (;;) {
        unsigned char message[512];
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        ssize_t came = recvfrom(by, message, sizeof message - 16, 0, (struct sockaddr *)&from, &size);
        if (came < 12)
            continue;
        static const unsigned char answer[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 169, 254, 169, 254};
        message[2] = 0x81;
        message[3] = 0x80;
        message[7] = 1;
        memcpy(message + came, answer, sizeof answer);
        sendto(by, message, (size_t)came + sizeof answer, 0, (struct sockaddr *)&from, size);
    }
}

static void resolver(void) {
    int by = (int)must("socket", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    must("bind", bind(by, (struct sockaddr *)&address, sizeof address));
    pid_t child;
    if (!part(&child))
        return;
    resolve(by);
}

/* Asks for the address of sts.amazonaws.com, connected or not. */
static void ask_resolver(bool connected) {
    static const unsigned char question[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3sts\11amazonaws\3com\0\0\1\0\1";
    int by = (int)must("socket", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    unsigned char answer[512];
    if (connected)
        must("connect", connect(by, (struct sockaddr *)&address, sizeof address));
    must("ask", sendto(by, question, sizeof question - 1, 0, connected ? NULL : (struct sockaddr *)&address,
                       connected ? 0 : sizeof address));
    must("an answer", recv(by, answer, sizeof answer, 0));
    close(by);
}

/* A hello without a name, to where a resolver has said that it lies. */
static void tls_named(bool connected) {
    own_network();
    resolver();
    server_at(443);
    actor();
    ask_resolver(connected);
    unsigned char bytes[512];
    size_t length = hello(bytes, NULL);
    int to = connected4_at(443);
    must("write", write(to, bytes, length));
    delivered(to);
    say(0);
}
static void tls_named_by_dns(void) { tls_named(true); }
static void tls_named_by_dns_unconnected(void) { tls_named(false); }

/* A hello with a name, each byte by itself. */
static void tls_in_pieces(void) {
    own_network();
    server_at(443);
    actor();
    unsigned char bytes[512];
    size_t length = hello(bytes, "sts.eu-central-1.amazonaws.com");
    int to = connected4_at(443);
    for (size_t at = 0; at < length; at++)
        must("write", write(to, bytes + at, 1));
    delivered(to);
    say(0);
}
/* One whose name nobody has to know. */
static void tls_to_another(void) {
    own_network();
    server_at(443);
    actor();
    unsigned char bytes[512];
    size_t length = hello(bytes, "private.example");
    int to = connected4_at(443);
    must("write", write(to, bytes, length));
    delivered(to);
    say(0);
}

/* On a socket that its parent has opened, and in which that has said nothing yet. */
static void token_inherited(void) {
    own_network();
    server();
    int to = connected4();
    actor();
    asks(to, role);
    answered(to, 1);
    say(0);
}

/* On a socket that its parent has opened later, and passes to it. */
static void token_passed(void) {
    int pair[2];
    pid_t child;
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec one = {&byte, 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    own_network();
    server();
    must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    if (!part(&child)) {
        int to = connected4();
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof to);
        memcpy(CMSG_DATA(header), &to, sizeof to);
        must("pass a socket", sendmsg(pair[0], &message, 0));
        close(to);
        await(child);
    }
    int to;
    must("receive a socket", recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
    memcpy(&to, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof to);
    asks(to, role);
    answered(to, 1);
    say(0);
}

/* What an operator has told of: Vault in clear, and a name that nobody knows at an address of his. */
static void vault_login(void) {
    static const char login[] = "POST /v1/auth/kubernetes/login HTTP/1.1\r\nHost: vault.example:8200\r\nContent-Length: 57\r\n\r\n"
                                "{\"role\":\"billing\",\"jwt\":\"wJalrXUtnFEMIK7MDENGDECOYTOKEN\"}";
    own_network();
    server_at(8200);
    actor();
    int to = connected4_at(8200);
    asks(to, login);
    answered(to, 1);
    say(0);
}
static void tls_to_vault(void) {
    own_network();
    server_at(8201);
    actor();
    unsigned char bytes[512];
    size_t length = hello(bytes, "vault.example");
    int to = connected4_at(8201);
    must("write", write(to, bytes, length));
    delivered(to);
    say(0);
}

const struct way network_ways[] = {
    {"token_passed", token_passed},
    {"vault_login", vault_login},
    {"tls_to_vault", tls_to_vault},
    {"token_inherited", token_inherited},
    {"tls_named_by_dns", tls_named_by_dns},
    {"tls_named_by_dns_unconnected", tls_named_by_dns_unconnected},
    {"tls_in_pieces", tls_in_pieces},
    {"tls_to_another", tls_to_another},
    {"token_call", token_call},
    {"token_by_six", token_by_six},
    {"token_by_mapped", token_by_mapped},
    {"token_pipelined", token_pipelined},
    {0},
};
