/* Landlock's rulesets (landlock(7)). */

/* Fields were added by ABI 4 and 6; the size says which are known, so old headers do not matter. */
struct landlock_ruleset {
    uint64_t files, network, scoped;
};

struct landlock_path {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));

struct landlock_port {
    uint64_t rights, port;
};

int sb_landlock_abi(void)
{
    long abi = syscall(SYS_LANDLOCK_CREATE_RULESET, NULL, 0, 1);

    return abi < 0 ? -errno : (int)abi;
}

int sb_landlock_ruleset(uint64_t files, uint64_t network, uint64_t scoped)
{
    struct landlock_ruleset rules = { files, network, scoped };
    int abi = sb_landlock_abi();
    size_t size = abi < 4 ? 8 : abi < 6 ? 16 : 24;
    long fd = syscall(SYS_LANDLOCK_CREATE_RULESET, &rules, size, 0);

    return fd < 0 ? -errno : (int)fd;
}

int sb_landlock_path(int ruleset, int fd, uint64_t rights)
{
    struct landlock_path rule = { rights, fd };

    return syscall(SYS_LANDLOCK_ADD_RULE, ruleset, 1, &rule, 0) < 0 ? -errno : 0;
}

int sb_landlock_port(int ruleset, uint64_t port, uint64_t rights)
{
    struct landlock_port rule = { rights, port };

    return syscall(SYS_LANDLOCK_ADD_RULE, ruleset, 2, &rule, 0) < 0 ? -errno : 0;
}
