/* tls_files.h: the supervisor reads certificate and key, again when they change, and passes them on
 * (procs/lib/tls_bundle.h). A pair that does not fit is reported and not passed on: the gateways go
 * on with the one they have.
 */
#ifndef EIDOS_CLI_TLS_FILES_H
#define EIDOS_CLI_TLS_FILES_H

#include "procs/lib/config.h"

struct tls_files;

/* Read the files that api.tls_certificate and api.tls_key name. 0 with *files NULL when there are
 * none, or -1 with err. */
int tls_files_open(struct tls_files **files, const struct config *config);

/* What a gateway inherits; -1 = nothing. */
int tls_files_fd(const struct tls_files *files);

/* Look, at most once a second, whether they have changed. */
void tls_files_tick(struct tls_files *files, u64 now_ns);

void tls_files_close(struct tls_files *files);

#endif
