#include "procs/lib/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_name(mode_t mode)
{
    if (S_ISDIR(mode)) return "it is a folder, not a file";
    if (S_ISFIFO(mode)) return "it is a pipe, not a file";
    if (S_ISCHR(mode) || S_ISBLK(mode)) return "it is a device, not a file";
    return S_ISSOCK(mode) ? "it is a socket, not a file" : NULL;
}

int regular_open(int dir, const char *name, int flags, const char **why)
{
    struct stat st;
    int fd = openat(dir, name, flags | O_CLOEXEC | O_NONBLOCK, 0644);
    int failed = fd < 0 ? errno : 0;
    if (failed == ENOENT) {
        *why = strerror(failed);
        return -1;
    }
    bool known = fd >= 0 ? fstat(fd, &st) == 0 : fstatat(dir, name, &st, 0) == 0;
    *why = known ? kind_name(st.st_mode) : NULL;
    if (fd >= 0 && !*why) return fd;
    if (fd >= 0) close(fd);
    if (!*why) *why = strerror(failed);
    errno = failed;
    return -1;
}
