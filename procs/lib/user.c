#include "procs/lib/user.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/lib/decimal.h"
#include "shm/err.h"

#define NAME_BYTES 64
#define UID_MOST   (UINT32_MAX / 2)

/* By name: PREFIXrole, and the group PREFIX without its dash. */
static int find_by_name(const char *prefix, u32 role, bool files, struct user *user)
{
    char name[NAME_BYTES], group[NAME_BYTES];
    snprintf(name, sizeof name, "%s%s", prefix, role_name(role));
    const struct passwd *pw = getpwnam(name);
    if (!pw)
        return err_set(
            "run.users = %s: there is no system user %s; make it (systemd/eidos.sysusers "
            "lists all), or leave run.users empty",
            prefix, name);
    *user = (struct user){pw->pw_uid, pw->pw_gid};
    if (!files) return 0;
    snprintf(group, sizeof group, "%.*s", (int)strcspn(prefix, "-"), prefix);
    const struct group *gr = getgrnam(group);
    if (!gr) return err_set("run.users = %s: there is no group %s", prefix, group);
    user->gid = gr->gr_gid;
    return 0;
}

int user_find(const char *users, u32 role, bool files, struct user *user)
{
    u64 base;
    if (decimal_parse_u64(users, strlen(users), &base) != DECIMAL_OK)
        return find_by_name(users, role, files, user);
    if (base == 0 || base > UID_MOST) return err_set("run.users = %s is no user", users);
    user->uid = (uid_t)(base + 1 + role);
    user->gid = files ? (gid_t)base : (gid_t)user->uid;
    return 0;
}

/* Its own regions are its own files. */
static int own_regions(const struct segment *s, const struct user *user)
{
    for (u32 i = 0; i < s->topo.region_count; i++) {
        if (s->topo.regions[i].owner != (u32)s->self || !s->regions[i].head) continue;
        if (chown(s->regions[i].path, user->uid, (gid_t)-1))
            return err_sys("giving %s to user %u", s->regions[i].path, user->uid);
    }
    return 0;
}

/* A directory and the files in it. The group may read. */
static int own_directory(const char *path, const struct user *user)
{
    DIR *dir = opendir(path);
    if (!dir) return err_sys("%s", path);
    int fd = dirfd(dir), result = 0;
    if (fchown(fd, user->uid, user->gid) || fchmod(fd, 0750)) result = err_sys("owning %s", path);
    for (struct dirent *e; !result && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (fchownat(fd, e->d_name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW) && errno != ENOENT)
            result = err_sys("owning %s/%s", path, e->d_name);
    }
    closedir(dir);
    return result;
}

static int own_paths(const char *dir, const struct sandbox_path *paths, const struct user *user)
{
    char path[512];
    for (const struct sandbox_path *p = paths; p && p->path; p++) {
        if (p->access != SANDBOX_WRITE || p->path[0] == '/') continue;
        snprintf(path, sizeof path, "%s/%s", dir, p->path);
        if (own_directory(path, user)) return -1;
    }
    return 0;
}

/* The way to what is below must be open; nobody may list it. */
static int open_the_way(const char *dir)
{
    struct stat st;
    if (stat(dir, &st)) return err_sys("%s", dir);
    if ((st.st_mode & 0011) == 0011 || !chmod(dir, (st.st_mode & 07777) | 0011)) return 0;
    return err_sys("letting users through %s", dir);
}

int user_drop(const struct segment *s, const struct user *user, const struct sandbox_path *paths)
{
    int death = 0;
    if (own_regions(s, user) || open_the_way(s->boot.dir) || own_paths(s->boot.dir, paths, user))
        return -1;
    if (prctl(PR_GET_PDEATHSIG, &death)) return err_sys("the supervisor's death");
    if (setgroups(0, NULL) || setresgid(user->gid, user->gid, user->gid) ||
        setresuid(user->uid, user->uid, user->uid))
        return err_sys("becoming user %u", user->uid);
    umask(0027);
    /* Changing users forgets it; should the supervisor have died meanwhile, its parent is another.
     */
    if (death && prctl(PR_SET_PDEATHSIG, death)) return err_sys("the supervisor's death");
    if (death && (u32)getppid() != s->boot.supervisor_pid)
        return err_set("the supervisor (process %u) is gone", s->boot.supervisor_pid);
    return 0;
}
