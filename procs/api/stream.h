/* stream.h: bytes of a client, plain or through TLS. What these return and leave in errno is what
 * recv and send would: a handshake is part of the first reads and writes.
 *
 *   tls_start      the certificate the supervisor passed; every second: is there another?
 *   stream_open    a TLS session for an accepted socket, or NULL when connections are plain
 */
#ifndef EIDOS_API_STREAM_H
#define EIDOS_API_STREAM_H

#include <sys/uio.h>

#include "procs/api/api.h"

struct ssl_st;
struct tls;

/* `bundle` is the descriptor of tls_bundle.h, -1 = connections are plain. 0 or -1. */
int tls_start(struct api *a, int bundle);
void tls_stop(struct api *a);

/* Take a new certificate for connections that begin from now on. */
void tls_turn(struct api *a);

/* A session; false when there is no memory for it. *tls is NULL when connections are plain. */
bool stream_open(struct api *a, int fd, struct ssl_st **tls);

/* Has the handshake been made (or is none needed)? */
bool stream_is_ready(const struct ssl_st *tls);

/* Bytes read; 0 = the end; -1 = errno. EAGAIN also when a handshake waits for room to write:
 * then *again asks to try when there is, though nothing came. */
ssize_t stream_read(int fd, struct ssl_st *tls, void *to, size_t room, bool *again);

/* Bytes written, which may be fewer, or -1 with errno. */
ssize_t stream_write(int fd, struct ssl_st *tls, const void *bytes, size_t len);
ssize_t stream_write_parts(int fd, struct ssl_st *tls, struct iovec *parts, u32 count);

/* No more will be written. False when it can not be said. */
bool stream_end(int fd, struct ssl_st *tls);

/* Close socket and session, or give up a session whose socket is somebody else's. */
void stream_close(int fd, struct ssl_st *tls);
void stream_forget(struct ssl_st *tls);

#endif
