/* tls_bundle.h: certificate and key on their way from the supervisor to the gateways.
 *
 *   files (readable by the supervisor) --changed?--> memfd --> gateways (no file system, own uid)
 *
 * The supervisor writes both PEM texts into an anonymous file that the gateways inherit, open for
 * reading only, and writes them again when the files change. `version` is odd while it writes and
 * stored last; a reader that saw the same even version before and after has a whole bundle.
 */
#ifndef EIDOS_PROCS_LIB_TLS_BUNDLE_H
#define EIDOS_PROCS_LIB_TLS_BUNDLE_H

#include "shm/base.h"

#define TLS_PEM_MAX 65536U

struct tls_bundle {
    u64 version; /* 0 = nothing yet */
    u32 certificate_len, key_len;
    char certificate[TLS_PEM_MAX]; /* a chain, the own one first */
    char key[TLS_PEM_MAX];
};

struct ssl_ctx_st;

/* A server's context of this certificate and key: TLS 1.2 and up, forward secrecy, http/1.1. NULL
 * with err: a text does not parse, or the key is not the certificate's. */
struct ssl_ctx_st *tls_context(const struct tls_bundle *b);

/* The version in `fd`, and the bundle if it is another than `known`. Returns 1 with a new one, 0
 * without, -1 with err. */
int tls_bundle_read(int fd, u64 known, struct tls_bundle *b);

/* Write the bundle with the version after `fd`'s. 0 or -1. */
int tls_bundle_write(int fd, struct tls_bundle *b);

#endif
