/* The face of the C core. build.py hands these declarations to cffi; core.c includes this file.
 * Plain declarations only: no preprocessor lines. Functions return a negative errno on failure. */

typedef struct {
    int32_t kind;      /* SB_NONE, SB_STATUS, SB_SIGNAL or SB_DEADLINE */
    int32_t pid;       /* SB_STATUS: the task */
    int32_t status;    /* SB_STATUS: raw wait status */
    int32_t error;     /* SB_STATUS: errno of the request that fetched the details, 0 if it worked */
    int32_t signo;     /* signal-delivery-stop, or SB_SIGNAL: which */
    int32_t code;      /* its si_code */
    int32_t sender;    /* its si_pid */
    int32_t op;        /* syscall stops: PTRACE_SYSCALL_INFO_ENTRY 1, EXIT 2, SECCOMP 3 */
    uint32_t arch;
    uint64_t message;  /* event stops: PTRACE_GETEVENTMSG */
    uint64_t nr;
    uint64_t ip;
    uint64_t sp;
    uint64_t args[6];
    int64_t rval;
    int64_t cpu_us;    /* ended tasks: user and system time, from wait4 */
    int64_t maxrss_kb; /* ended tasks */
} sb_event;

typedef struct {
    int32_t resource;
    uint64_t soft;
    uint64_t hard;
} sb_limit;

typedef struct {
    const char *path;
    char *const *argv;
    char *const *envp;
    int32_t cwd;               /* the directory to begin in, or -1: stay */
    const void *filter;        /* struct sock_filter[] */
    uint32_t filter_length;    /* instructions */
    uint32_t closed;           /* bit n: descriptor n is closed in the guest */
    uint32_t limit_count;
    const sb_limit *limits;
    int32_t ruleset;           /* a Landlock ruleset, or -1 */
    int32_t cgroup;            /* the cgroup.procs to enter, or -1 */
    int32_t isolate;           /* unshare(2) flags, or 0 */
    const char *uid_map;       /* of the user namespace among them, or NULL */
    const char *gid_map;
    int32_t change_user;       /* become uid and gid, without groups */
    uint32_t uid;
    uint32_t gid;
    int32_t output[2];         /* what becomes descriptors 1 and 2, or -1 */
} sb_spec;

typedef struct {
    int32_t step;   /* SB_STEP_* */
    int32_t error;  /* errno, or 0 */
    int32_t status; /* raw wait status, where the child ended without a word */
} sb_failure;

int sb_prepare(int hang_up);
int sb_control_pending(void);
int sb_protect(void);
int64_t sb_file_system(const char *path);
int sb_launch(const sb_spec *spec, sb_failure *failure, sb_event *event);
const char *sb_step_name(int step);
int sb_wait(sb_event *event, int64_t deadline_ns);
int sb_resume(int pid, int request, int signo);
int sb_resume_wait(int pid, int request, int signo, sb_event *event, int64_t deadline_ns);
int sb_answer(int pid, int64_t value);
int sb_answer_wait(int pid, int64_t value, sb_event *event, int64_t deadline_ns);
int sb_poke(int pid, int offset, uint64_t value);
int sb_registers(int pid, uint64_t *registers);
int sb_get_mask(int pid, uint64_t *mask);
int sb_set_mask(int pid, uint64_t mask);
int64_t sb_read(int pid, uint64_t address, void *buffer, uint64_t length);
int64_t sb_read_string(int pid, uint64_t address, void *buffer, uint64_t length);
int64_t sb_write(int pid, uint64_t address, const void *buffer, uint64_t length);
int sb_hide_auxv(int pid, uint64_t stack, uint64_t type);
int sb_peek(int pid, uint64_t address, uint64_t *word);
int sb_kill(int pid, int signo);
int sb_trace_exit(int pid, int wanted);
int sb_act_as(int change, uint32_t uid, uint32_t gid);
int sb_act_self(void);
int sb_has_capabilities(void);
int sb_open(int directory, const char *path, uint64_t flags, uint64_t resolve);
int sb_is_proc(int fd);
int sb_may(int fd, int mode);
int sb_set_times(const char *path, const int64_t *times);
int sb_pump(const int *from, const int *to, int count, uint64_t limit);
int sb_landlock_abi(void);
int sb_detach(const char *program, const char *const *places, int count);
int sb_landlock_ruleset(uint64_t files, uint64_t network, uint64_t scoped);
int sb_landlock_path(int ruleset, int fd, uint64_t rights);
int sb_landlock_port(int ruleset, uint64_t port, uint64_t rights);
