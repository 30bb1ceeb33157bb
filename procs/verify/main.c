/* eidos-verify: proves who signed; see process.h. */
#include "procs/verify/process.h"

int main(int argc, char **argv)
{
    return run_main(&verify_descriptor, argc, argv);
}
