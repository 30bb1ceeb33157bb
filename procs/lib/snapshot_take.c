#include "procs/lib/snapshot_take.h"

#include "shm/err.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void take_path(const char *dir, char path[320])
{
    snprintf(path, 320, "%s/snapshots/take", dir);
}

/* It gets its name when it is whole. */
int snapshot_ask(const char *dir, u64 seq)
{
    char path[320], temporary[336];
    take_path(dir, path);
    snprintf(temporary, sizeof temporary, "%s.%d", path, getpid());
    FILE *file = fopen(temporary, "we");
    if (!file) return err_sys("%s", temporary);
    fprintf(file, "%lu\n", seq);
    if (fclose(file) || rename(temporary, path)) {
        int rc = err_sys("%s", path);
        unlink(temporary);
        return rc;
    }
    return 0;
}

bool snapshot_asked(const char *dir, u64 *seq)
{
    char path[320], text[32] = "";
    take_path(dir, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool is_read = read(fd, text, sizeof text - 1) > 0;
    close(fd);
    *seq = is_read ? strtoull(text, NULL, 10) : 0;
    return true;
}

void snapshot_answer(const char *dir)
{
    char path[320];
    take_path(dir, path);
    unlink(path);
}
