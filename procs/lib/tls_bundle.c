#include "procs/lib/tls_bundle.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "shm/err.h"

/* For TLS 1.2; all of TLS 1.3 are like these: authenticated, with keys that are gone afterwards. */
static const char CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static int ssl_error(const char *what)
{
    char text[160];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return err_set("%s: %s", what, text);
}

/* Only HTTP/1.1 is spoken here: say so to who asks, and refuse who speaks nothing else. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *context)
{
    /* as in `in`: a length, a name */
    static const unsigned char OURS[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    (void)ssl, (void)context;
    for (const unsigned char *at = in; at < in + in_len; at += 1 + *at) {
        if (*at != OURS[0] || memcmp(at, OURS, sizeof OURS) != 0) continue;
        *out = at + 1;
        *out_len = *at;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int no_password(char *buf, int size, int writing, void *context)
{
    (void)buf, (void)size, (void)writing, (void)context;
    return -1; /* nobody is there to ask */
}

/* The first certificate is the own one, the rest its chain. */
static int use_chain(SSL_CTX *ctx, const struct tls_bundle *b)
{
    BIO *text = BIO_new_mem_buf(b->certificate, (int)b->certificate_len);
    X509 *own = text ? PEM_read_bio_X509(text, NULL, no_password, NULL) : NULL;
    int result = own && SSL_CTX_use_certificate(ctx, own) == 1
                     ? 0
                     : ssl_error("the certificate is no PEM certificate");
    X509_free(own);
    for (X509 *next; !result && (next = PEM_read_bio_X509(text, NULL, no_password, NULL));)
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
            X509_free(next);
            result = ssl_error("the certificate's chain");
        }
    ERR_clear_error(); /* of the end of the text */
    BIO_free(text);
    return result;
}

static int use_key(SSL_CTX *ctx, const struct tls_bundle *b)
{
    BIO *text = BIO_new_mem_buf(b->key, (int)b->key_len);
    EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, no_password, NULL) : NULL;
    int result = 0;
    if (!key) result = ssl_error("the key is no PEM private key without a password");
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
        result = ssl_error("the key is not the certificate's");
    EVP_PKEY_free(key);
    BIO_free(text);
    return result;
}

struct ssl_ctx_st *tls_context(const struct tls_bundle *b)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) {
        ssl_error("TLS");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Idle connections give their buffers back; a write may go on from elsewhere in memory. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 && !use_chain(ctx, b) && !use_key(ctx, b))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

int tls_bundle_read(int fd, u64 known, struct tls_bundle *b)
{
    u64 after;
    if (pread(fd, &after, sizeof after, 0) != sizeof after) return err_sys("the TLS bundle");
    if (after == known || after & 1) return 0;
    if (pread(fd, b, sizeof *b, 0) != sizeof *b ||
        pread(fd, &after, sizeof after, 0) != sizeof after)
        return err_sys("the TLS bundle");
    return b->version == after && !(after & 1); /* else it is being written: later */
}

int tls_bundle_write(int fd, struct tls_bundle *b)
{
    u64 writing = (b->version | 1);
    u64 done = writing + 1;
    if (pwrite(fd, &writing, sizeof writing, 0) != sizeof writing) return err_sys("the TLS bundle");
    b->version = writing;
    if (pwrite(fd, b, sizeof *b, 0) != sizeof *b) return err_sys("the TLS bundle");
    b->version = done;
    return pwrite(fd, &done, sizeof done, 0) == sizeof done ? 0 : err_sys("the TLS bundle");
}
