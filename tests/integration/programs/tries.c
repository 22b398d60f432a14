/* A solution that goes beyond a solution: tries one thing by name. Exit status: 0 it worked, 1 it was refused
   (standard error says why), 2 wrong use. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void *thread(void *unused)
{
    return unused;
}

static int try_fork(void)
{
    int pid = fork();
    if (pid == 0)
        _exit(0);
    return pid;
}

static int try_exec(void)
{
    return execl("/bin/true", "true", (char *)NULL);
}

static int try_create(void)
{
    return open("made", O_WRONLY | O_CREAT, 0644);
}

static int try_both_ways(void)
{
    return open("text.txt", O_RDWR);
}

static int try_append(void)
{
    return open("text.txt", O_WRONLY | O_APPEND);
}

static int try_unlink(void)
{
    return unlink("text.txt");
}

static int try_mkdir(void)
{
    return mkdir("made", 0755);
}

static int try_thread(void)
{
    pthread_t made;
    errno = pthread_create(&made, NULL, thread, NULL);
    return errno ? -1 : pthread_join(made, NULL);
}

static int try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int try_kill(void)
{
    return kill(getppid(), 0);
}

static int try_limit(void)
{
    struct rlimit more = {1 << 20, 1 << 20};
    return setrlimit(RLIMIT_NOFILE, &more);
}

static const struct {
    const char *name;
    int (*attempt)(void);
} ATTEMPTS[] = {
    {"append", try_append},
    {"both-ways", try_both_ways},
    {"create", try_create},
    {"exec", try_exec},
    {"fork", try_fork},
    {"kill", try_kill},
    {"limit", try_limit},
    {"mkdir", try_mkdir},
    {"socket", try_socket},
    {"thread", try_thread},
    {"unlink", try_unlink},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc == 2 && i < sizeof ATTEMPTS / sizeof *ATTEMPTS; i++) {
        if (strcmp(argv[1], ATTEMPTS[i].name) != 0)
            continue;
        if (ATTEMPTS[i].attempt() >= 0)
            return 0;
        perror(argv[1]);
        return 1;
    }
    return 2;
}
