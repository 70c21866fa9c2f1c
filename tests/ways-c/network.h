/* What ways on the network share. */
#pragma once
#include "ways.h"

/* A request for the credentials of a role, with a token. */
extern const char role[];
/* A network namespace of the way's own: its loopback device has the addresses of the endpoint. */
void own_network(void);
/* A server on all addresses, which answers each request with 200 and no body. It ends with its parent. */
void server_at(uint16_t port);
/* A connection to the endpoint. */
int connected4(void);
void asks(int to, const char *request);
/* Waits for so many answers. */
void answered(int to, int count);
