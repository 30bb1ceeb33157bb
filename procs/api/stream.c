#include "procs/api/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/lib/text_log.h"
#include "procs/lib/tls_bundle.h"
#include "shm/err.h"

#define LOOK_NS NS_PER_S
#define RECORD  16384U /* the most one TLS record holds */

struct tls {
    SSL_CTX *ctx;
    int bundle;
    u64 version, looked_ns;
};

/* ---- Certificates ---- */

static int load(struct tls *t)
{
    struct tls_bundle *b = malloc(sizeof *b);
    if (!b) return err_sys("memory for certificates");
    int found = tls_bundle_read(t->bundle, t->version, b);
    if (found > 0) {
        SSL_CTX *ctx = tls_context(b);
        if (ctx) SSL_CTX_free(t->ctx); /* sessions that use it keep it */
        if (ctx) t->ctx = ctx;
        else found = -1;
        t->version = b->version; /* a bad one is reported once */
    }
    OPENSSL_cleanse(b, sizeof *b);
    free(b);
    return found;
}

int tls_start(struct api *a, int bundle)
{
    if (!a->config->api.tls_certificate.s[0]) return 0;
    if (bundle < 0)
        return err_set("api.tls_certificate: certificates come from the supervisor (eidosctl up)");
    a->tls = calloc(1, sizeof *a->tls);
    if (!a->tls) return err_sys("memory for certificates");
    a->tls->bundle = bundle;
    if (load(a->tls) < 0) return -1;
    return a->tls->ctx ? 0 : err_set("the supervisor has passed no certificate");
}

void tls_stop(struct api *a)
{
    if (!a->tls) return;
    SSL_CTX_free(a->tls->ctx);
    close(a->tls->bundle);
    free(a->tls);
    a->tls = NULL;
}

void tls_turn(struct api *a)
{
    struct tls *t = a->tls;
    if (!t || a->now_ns - t->looked_ns < LOOK_NS) return;
    t->looked_ns = a->now_ns;
    int found = load(t);
    if (found < 0) text_log(TEXT_ERROR, "certificate not changed: %s", err_text());
    if (found > 0) text_log(TEXT_INFO, "new connections get the new certificate");
}

/* ---- Sessions ---- */

bool stream_open(struct api *a, int fd, struct ssl_st **tls)
{
    *tls = NULL;
    if (!a->tls) return true;
    SSL *ssl = SSL_new(a->tls->ctx);
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return false;
    }
    SSL_set_accept_state(ssl);
    SSL_set_read_ahead(ssl, 1);
    *tls = ssl;
    return true;
}

bool stream_is_ready(const struct ssl_st *tls)
{
    return !tls || SSL_is_init_finished(tls);
}

/* What a result of OpenSSL means to a caller of recv or send; -1 with errno, or 0 for the end. */
static ssize_t result_of(SSL *tls, int n, bool *again)
{
    int error = SSL_get_error(tls, n);
    if (again) *again = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    /* After this no shutdown may be tried either. */
    SSL_set_quiet_shutdown(tls, 1);
    errno = ECONNRESET;
    return -1;
}

ssize_t stream_read(int fd, struct ssl_st *tls, void *to, size_t room, bool *again)
{
    if (again) *again = false;
    if (!tls) return recv(fd, to, room, MSG_DONTWAIT);
    int n = SSL_read(tls, to, (int)min_u64(room, INT32_MAX));
    return n > 0 ? n : result_of(tls, n, again);
}

/* Record by record until the socket is full: only then will it tell that it has room. */
static ssize_t write_records(SSL *tls, const char *bytes, size_t len)
{
    size_t done = 0;
    while (done < len) {
        int n = SSL_write(tls, bytes + done, (int)min_u64(len - done, INT32_MAX));
        if (n <= 0) {
            if (result_of(tls, n, NULL) == 0) errno = EPIPE;
            return done ? (ssize_t)done : -1;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

ssize_t stream_write(int fd, struct ssl_st *tls, const void *bytes, size_t len)
{
    return tls ? write_records(tls, bytes, len) : send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Parts that lie apart go out in records that are as full as can be. */
static ssize_t write_gathered(SSL *tls, const struct iovec *parts, u32 count)
{
    static char record[RECORD];
    ssize_t done = 0;
    size_t held = 0, taken = 0; /* in `record`; of the part */
    for (u32 i = 0; i < count;) {
        size_t n = min_u64(parts[i].iov_len - taken, RECORD - held);
        memcpy(record + held, (const char *)parts[i].iov_base + taken, n);
        held += n;
        taken += n;
        if (taken == parts[i].iov_len) i++, taken = 0;
        if (held < RECORD && i < count) continue;
        ssize_t wrote = write_records(tls, record, held);
        if (wrote < 0) return done ? done : -1;
        done += wrote;
        if (wrote < (ssize_t)held) break;
        held = 0;
    }
    return done;
}

ssize_t stream_write_parts(int fd, struct ssl_st *tls, struct iovec *parts, u32 count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    if (count == 1) return stream_write(fd, tls, parts[0].iov_base, parts[0].iov_len);
    return tls ? write_gathered(tls, parts, count)
               : sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool stream_end(int fd, struct ssl_st *tls)
{
    if (tls && SSL_is_init_finished(tls)) SSL_shutdown(tls);
    ERR_clear_error();
    return shutdown(fd, SHUT_WR) == 0;
}

void stream_forget(struct ssl_st *tls)
{
    SSL_free(tls);
}

void stream_close(int fd, struct ssl_st *tls)
{
    if (tls && SSL_is_init_finished(tls)) SSL_shutdown(tls);
    ERR_clear_error();
    SSL_free(tls);
    close(fd);
}
