/* What all ways of copying have in common. */
#pragma once
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct way {
    const char *name;
    void (*copy)(const char *from, const char *to);
};

/* Each ends with one without a name. */
extern const struct way hidden_ways[], ring_ways[], shared_ways[], transfer_ways[], handed_ways[];

/* What was read, and how much. */
extern char content[65536];
extern ssize_t length;
/* This program. */
extern const char *self;

_Noreturn void fail(const char *what);
int checked(long result, const char *what);
void take_from(int file);
void take(const char *from);
void put(int file);
/* Says that there is a copy, and waits for a line, or the end, of standard input. */
void said_and_waited(void);
/* A new file, open for writing. */
int made(const char *to);
void send_file(int socket, int file);
int receive_file(int socket);
/* The two ends of a connection that keeps messages apart. */
void connected(int ends[2]);
/* Lets the other process go on, and waits for being let. */
void let(int end);
void await(int end);
/* What a child does: makes the file once it may, says its number, and stays, with the file open, until it may go. */
_Noreturn void offer(int end, const char *to);
/* The number that was said. */
int offered(int end);
/* Waits for a child, which must succeed. */
void ended(pid_t child);
