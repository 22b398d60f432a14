/* Nodes that are more than files: character and block devices made in the writable place, a socket, and FIFOs and
 * pipes where a supervisor that opens what the guest names waits for ever (as the program of an execve, by path and by
 * /proc/self/fd). Natively root makes devices, and everybody FIFOs. Here no device is made, and the run goes on.
 * class: 122
 * contained: errno
 * ways: 6
 * build: musl */
#include "lib/files.h"

static char node[PATH_SIZE];

static int node_opens(long made)
{
    long fd = made == 0 ? open_path(node, O_RDONLY | O_NONBLOCK) : -1;

    raw(SYS_close, fd);
    raw(SYS_unlink, node);
    return made == 0;
}

static void make_devices(void)
{
    static const struct {
        unsigned type, major, minor;
        const char *what;
    } devices[] = {
        {S_IFCHR, 1, 3, "the null device"}, {S_IFCHR, 1, 1, "the memory device"}, {S_IFCHR, 5, 0, "the terminal"},
        {S_IFBLK, 7, 0, "a loop device"}, {S_IFBLK, 8, 0, "a disk"},
    };

    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++) {
        unsigned number = devices[i].major << 8 | devices[i].minor;

        way(node_opens(raw(SYS_mknod, node, devices[i].type | 0600, number)), devices[i].what);
        way(node_opens(raw(SYS_mknodat, AT_FDCWD, node, devices[i].type | 0600, number)), devices[i].what);
    }
}

static long exec_node(void *path)
{
    char *const argv[] = {path, NULL};

    raw(SYS_execve, path, argv, environ);
    return 0;
}

/* Each must be answered: nobody will ever open the other end. */
static void exec_of_pipes(void)
{
    static char magic[64];
    int ends[2] = {-1, -1};

    raw(SYS_mknod, node, S_IFIFO | 0700, 0);
    exec_node(node);
    raw(SYS_pipe, ends);
    for (int i = 0; i < 2; i++) {
        path_join(magic, "/proc/self/fd/", decimal(ends[i]));
        exec_node(magic);
        raw(SYS_close, ends[i]);
    }
    raw(SYS_unlink, node);
    wait_for(spawn_child(exec_node, "/dev/tty"));
    exec_node("/dev/null");
    exec_node("/");
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    in_work(node, "node");
    attempt("pipes as programs");
    exec_of_pipes();
    answered(0);
    make_devices();
    if (!ways_open)
        cannot("only root makes devices");
    ways_end("devices");
}
