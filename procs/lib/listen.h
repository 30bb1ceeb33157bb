/* listen.h: listening sockets, and one port that several processes share.
 *
 *   supervisor   binds one socket a worker to the same address and port (SO_REUSEPORT), keeps them,
 *                hands each worker its own
 *   worker       listens on it once it is ready
 *
 * The kernel spreads new connections over those that listen. While a worker is started again its
 * connections wait in the queue of its socket, which lives as long as the supervisor.
 */
#ifndef EIDOS_PROCS_LIB_LISTEN_H
#define EIDOS_PROCS_LIB_LISTEN_H

#include "shm/base.h"

#define LISTEN_BACKLOG 4096 /* the host's net.core.somaxconn may be less */

/* A bound TCP socket, non-blocking; `ip` is an IPv4 or IPv6 address, `port` 0 = the host chooses.
 * `shared`: others of the same user may bind to the same port. -1 with err. */
int listen_bind(const char *ip, u16 port, bool shared);

/* `count` sockets of one port, which nobody else has. *port may be 0 and receives the choice. 0 or
 * -1 with err. */
int listen_bind_all(const char *ip, u16 *port, u32 count, int *fds);

/* The port a socket is bound to, in host order. */
u16 listen_port(int fd);

#endif
