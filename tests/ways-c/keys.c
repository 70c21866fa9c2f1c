/* Keys of the kernel, in a session keyring that ends with the process. */
#include "ways.h"

#include <linux/keyctl.h>

static const char SECRET[] = "decoy";

static void session_with_key(void) {
    must("a session keyring", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
    target = must("add_key", syscall(SYS_add_key, "user", "claviger-decoy", SECRET, sizeof SECRET, KEY_SPEC_SESSION_KEYRING));
}

static void keyctl_read(void) {
    char copy[sizeof SECRET];
    session_with_key();
    actor();
    say(syscall(SYS_keyctl, KEYCTL_READ, target, copy, sizeof copy));
}

/* Read, search and view for everybody. */
static void keyctl_setperm(void) {
    session_with_key();
    actor();
    say(syscall(SYS_keyctl, KEYCTL_SETPERM, target, 0x3f3f3f0b));
}

static void keyctl_chown(void) {
    session_with_key();
    actor();
    say(syscall(SYS_keyctl, KEYCTL_CHOWN, target, 65534, -1));
}

static void denied_keyctl_read(void) {
    char copy[sizeof SECRET];
    session_with_key();
    must("keyctl", syscall(SYS_keyctl, KEYCTL_SETPERM, target, 0x01010000));
    actor();
    nobody();
    say(syscall(SYS_keyctl, KEYCTL_READ, target, copy, sizeof copy));
}

const struct way key_ways[] = {
    {"keyctl_read", keyctl_read},
    {"keyctl_setperm", keyctl_setperm},
    {"keyctl_chown", keyctl_chown},
    {"denied_keyctl_read", denied_keyctl_read},
    {0},
};
