#include "cli/tls_files.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/lib/text_log.h"
#include "procs/lib/tls_bundle.h"
#include "shm/err.h"

#define LOOK_NS 1000000000UL

/* What tells one state of a file from another. */
struct file_state {
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct tls_files {
    const char *paths[2]; /* certificate, key */
    struct file_state seen[2];
    int fd, for_reading;
    u64 looked_ns;
    struct tls_bundle bundle;
};

static int state_of(const char *path, struct file_state *state)
{
    struct stat st;
    if (stat(path, &st)) return err_sys("%s", path);
    memset(state, 0, sizeof *state);
    *state = (struct file_state){st.st_ino, st.st_size, st.st_ctim};
    return 0;
}

static int read_file(const char *path, char text[TLS_PEM_MAX], u32 *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_sys("%s", path);
    ssize_t n = read(fd, text, TLS_PEM_MAX);
    close(fd);
    if (n < 0) return err_sys("%s", path);
    if (n == TLS_PEM_MAX) return err_set("%s is longer than %u bytes", path, TLS_PEM_MAX);
    *len = (u32)n;
    return 0;
}

/* Read both, see whether they fit, and pass them on. */
static int load(struct tls_files *f)
{
    struct tls_bundle *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return err_sys("memory for certificates");
    fresh->version = f->bundle.version;
    int result = read_file(f->paths[0], fresh->certificate, &fresh->certificate_len);
    if (!result) result = read_file(f->paths[1], fresh->key, &fresh->key_len);
    SSL_CTX *ctx = result ? NULL : tls_context(fresh);
    if (!ctx) result = err_wrap("api.tls_certificate %s, api.tls_key %s", f->paths[0], f->paths[1]);
    SSL_CTX_free(ctx);
    if (!result) {
        f->bundle = *fresh;
        result = tls_bundle_write(f->fd, &f->bundle);
    }
    OPENSSL_cleanse(fresh, sizeof *fresh);
    free(fresh);
    return result;
}

int tls_files_open(struct tls_files **files, const struct config *config)
{
    char self[32];
    *files = NULL;
    if (!config->api.tls_certificate.s[0]) return 0;
    struct tls_files *f = *files = calloc(1, sizeof *f);
    if (!f) return err_sys("memory for certificates");
    f->paths[0] = config->api.tls_certificate.s;
    f->paths[1] = config->api.tls_key.s;
    f->fd = memfd_create("eidos-tls", MFD_CLOEXEC);
    f->for_reading = -1;
    if (f->fd < 0) return err_sys("passing certificates on");
    snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd);
    if (fchmod(f->fd, 0400) || (f->for_reading = open(self, O_RDONLY | O_CLOEXEC)) < 0)
        return err_sys("passing certificates on");
    if (state_of(f->paths[0], &f->seen[0]) || state_of(f->paths[1], &f->seen[1])) return -1;
    return load(f);
}

int tls_files_fd(const struct tls_files *files)
{
    return files ? files->for_reading : -1;
}

void tls_files_tick(struct tls_files *f, u64 now_ns)
{
    struct file_state now[2];
    if (!f || now_ns - f->looked_ns < LOOK_NS) return;
    f->looked_ns = now_ns;
    if (state_of(f->paths[0], &now[0]) || state_of(f->paths[1], &now[1]))
        return; /* being replaced */
    if (memcmp(now, f->seen, sizeof now) == 0) return;
    memcpy(f->seen, now, sizeof now);
    if (load(f)) text_log(TEXT_ERROR, "certificate not changed: %s", err_text());
    else text_log(TEXT_INFO, "new certificate from %s", f->paths[0]);
}

void tls_files_close(struct tls_files *f)
{
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    if (f->for_reading >= 0) close(f->for_reading);
    OPENSSL_cleanse(&f->bundle, sizeof f->bundle);
    free(f);
}
