/* net.h: the addresses of an instance, and of this program, as somebody on this host types them. */
#ifndef EIDOS_CLI_NET_H
#define EIDOS_CLI_NET_H

#include "shm/base.h"

#define NET_HOST_MAX 64

/* An address to listen on as one to connect to: any becomes loopback, IPv6 gets brackets. */
void net_host(const char *listen, char host[static NET_HOST_MAX]);

/* This program: relative to the working directory when it lies below it. Static. */
const char *net_program(void);

#endif
