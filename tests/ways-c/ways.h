/* What the families of ways share. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* One way: a name, and what does it. It ends the process. */
struct way {
    const char *name;
    void (*go)(void);
};

extern const struct way open_ways[], compat_ways[], uring_ways[], ring_ways[], descriptor_ways[], mount_ways[], change_ways[], secret_ways[],
    key_ways[], attack_ways[], hold_ways[], namespace_ways[], raced_ways[], other_ways[], request_ways[], ring_end_ways[],
    answered_ways[], network_ways[], network_ring_ways[], rewrite_ways[], socket_ways[];

/* The arguments: the decoy, and a second thing that the way says what it is for. Paths are absolute. */
extern const char *object, *other;
/* All arguments, for a way that starts this program again. */
extern char **arguments;

/* What follows is done by a process of its own, the actor, which does nothing else that a sensor could see. The setup stays with the one
   that called. */
void actor(void);
/* As actor, where both go on: true in the actor, which dies with its parent. */
bool part(pid_t *child);
/* The setup's end: waits until the actor has ended. */
_Noreturn void await(pid_t child);

/* What the actor did, with the result of its system call; then it holds what it has until standard input ends. */
_Noreturn void say(long result);
/* The same, said by its parent for one that cannot speak. */
_Noreturn void say_for(pid_t pid, int error);
/* What the line says besides: the process or key that it was done to. */
extern long target;
/* This machine cannot do it. */
_Noreturn void cannot(const char *step);

/* A step of the setup, which must succeed. */
long must(const char *step, long result);
/* The directory of a path, and the name in it. */
const char *directory_of(const char *path);
const char *name_of(const char *path);
/* Becomes somebody who may do nothing. */
void nobody(void);
/* A mount namespace of its own, which ends with the process, where nothing reaches the host. */
void private_mounts(void);
/* A descriptor of the decoy, open for reading. */
int opened(void);
/* Takes the directory above the decoy's for its root, and stands there; the decoy's path from then on. */
void from_chroot(void);
/* Two paths joined, in memory of their own. */
const char *joined(const char *directory, const char *name);
void write_text(const char *path, const char *text);
