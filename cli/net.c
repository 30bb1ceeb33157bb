#include "cli/net.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

void net_host(const char *listen, char host[static NET_HOST_MAX])
{
    if (strcmp(listen, "0.0.0.0") == 0) listen = "127.0.0.1";
    else if (strcmp(listen, "::") == 0) listen = "::1";
    snprintf(host, NET_HOST_MAX, strchr(listen, ':') ? "[%s]" : "%s", listen);
}

const char *net_program(void)
{
    static char path[PATH_MAX];
    char here[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return "eidosctl";
    path[n] = '\0';
    size_t length = getcwd(here, sizeof here) ? strlen(here) : 0;
    bool below = length && strncmp(path, here, length) == 0 && path[length] == '/';
    return below ? path + length + 1 : path;
}
