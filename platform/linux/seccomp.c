#include "platform/linux/seccomp.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/err.h"

/* An allow list. What is not on it fails with EPERM and is logged by the kernel; it does
 * not kill: the same binary runs with other versions of libc, libuv, GnuTLS and of NSS
 * modules, which try new calls and fall back when they fail. For calls younger than this
 * list they expect ENOSYS, so these get it.
 *
 * No fork and no exec: what has to be run at the end is run by the process of
 * daemon/janitor.c, which is older than the filter. */

enum {
	/* Calls that came after the numbering of all architectures was unified. */
	NR_NEW_FIRST = 424,
	NR_NEW_LAST = 511,
	/* Unknown to the libseccomp of Debian 12 or to older headers. */
	NR_IO_URING_SETUP = 425,
	NR_CLOSE_RANGE = 436,
	NR_FACCESSAT2 = 439,
	NR_EPOLL_PWAIT2 = 441,
	NR_FUTEX_WAITV = 449,
};

static const int newer[] = { NR_CLOSE_RANGE, NR_FACCESSAT2, NR_EPOLL_PWAIT2, NR_FUTEX_WAITV };

/* By name: what an architecture does not have is skipped. */
static const char *const allowed[] = {
	/* waiting */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "poll", "ppoll", "select",
	"pselect6", "eventfd2", "timerfd_create", "timerfd_settime", "timerfd_gettime",
	"signalfd4", "pipe2", "restart_syscall",
	/* time */
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
	/* bytes */
	"read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev",
	"pwritev2", "lseek", "_llseek", "sendfile", "copy_file_range",
	/* sockets */
	"bind", "listen", "accept", "accept4", "connect", "shutdown", "getsockname", "getpeername",
	"setsockopt", "getsockopt", "sendto", "sendmsg", "sendmmsg", "send", "recv", "recvfrom",
	"recvmsg", "recvmmsg", "socketpair",
	/* files: state, configuration, logs, /proc, NSS */
	"open", "openat", "close", "creat", "stat", "lstat", "fstat", "newfstatat", "fstatat64",
	"stat64", "lstat64", "fstat64", "statx", "statfs", "fstatfs", "statfs64", "fstatfs64",
	"access", "faccessat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir",
	"mkdirat", "rmdir", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown",
	"link", "linkat", "symlink", "symlinkat", "readlink", "readlinkat", "getdents",
	"getdents64", "getcwd", "fsync", "fdatasync", "ftruncate", "fallocate", "flock", "umask",
	"utimensat", "utimes", "fadvise64", "fcntl", "fcntl64", "dup", "dup2", "dup3",
	"inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	/* memory; executable mappings too: libc loads NSS modules when first needed */
	"brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "membarrier",
	/* threads */
	"futex", "futex_time64", "set_robust_list", "get_robust_list", "rseq", "set_tid_address",
	"sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
	"sched_getscheduler", "sched_get_priority_min", "sched_get_priority_max",
	"sched_setscheduler", "getpriority", "arch_prctl", "exit", "exit_group",
	/* signals; tgkill is how abort() and pthread_kill() work */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
	"rt_sigsuspend", "sigaltstack", "sigreturn", "tgkill",
	/* the cleaning process at the end */
	"wait4", "waitid", "waitpid",
	/* about ourselves and the machine */
	"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid",
	"getresgid", "getgroups", "getpgrp", "getsid", "getrlimit", "ugetrlimit", "prlimit64",
	"getrusage", "times", "sysinfo", "uname", "getrandom", "getcpu", "capget",
};

static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

/* No request that sets up a device or types into a terminal. */
static const unsigned long ioctls[] = {
	FIONBIO, FIOCLEX, FIONREAD, TCGETS, TIOCGWINSZ, TUNGETIFF, SIOCGIFNAME, SIOCGIFINDEX,
	SIOCGIFFLAGS, SIOCGIFMTU, SIOCGIFADDR, SIOCGIFNETMASK, SIOCOUTQ,
};

static const int prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ,
			      PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS, 0x53564d41 /* SET_VMA */ };

/* Calls that this architecture or this libseccomp does not know need no rule. */
static int add_name(scmp_filter_ctx ctx, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr < 0 ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
}

static int add_if_arg(scmp_filter_ctx ctx, int nr, struct scmp_arg_cmp cmp)
{
	return nr < 0 ? 0 : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &cmp);
}

static int add_restricted(scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < PU_ARRAY_LEN(families); i++)
		r = add_if_arg(ctx, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i]));
	/* Requests are 32 bits; libc may sign-extend them. */
	for (size_t i = 0; r == 0 && i < PU_ARRAY_LEN(ioctls); i++)
		r = add_if_arg(ctx, SCMP_SYS(ioctl),
			       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, ioctls[i] & 0xffffffffu));
	for (size_t i = 0; r == 0 && i < PU_ARRAY_LEN(prctls); i++)
		r = add_if_arg(ctx, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, (unsigned)prctls[i]));
	/* Threads, no processes. */
	if (r == 0)
		r = add_if_arg(ctx, SCMP_SYS(clone),
			       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return r;
}

static bool is_newer_allowed(int nr)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(newer); i++)
		if (newer[i] == nr)
			return true;
	return false;
}

/* clone3 hides its flags from a filter; with ENOSYS libc takes clone. */
static int add_newer(scmp_filter_ctx ctx)
{
	int r = 0;

	for (int nr = NR_NEW_FIRST; r == 0 && nr <= NR_NEW_LAST; nr++)
		r = seccomp_rule_add(ctx, is_newer_allowed(nr) ? SCMP_ACT_ALLOW :
								 SCMP_ACT_ERRNO(ENOSYS), nr, 0);
	return r;
}

static int result(int r)
{
	if (r == -EINVAL || r == -ECANCELED)
		return PU_ENOTSUP;
	return r < 0 ? pu_err_from_errno(-r) : 0;
}

int pu_linux_seccomp_install(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = 0;

	if (!ctx)
		return PU_ENOMEM;
	/* Every call of the daemon passes here: search by halves, not in a row. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; r == 0 && i < PU_ARRAY_LEN(allowed); i++)
		r = add_name(ctx, allowed[i]);
	if (r == 0)
		r = add_restricted(ctx);
	if (r == 0)
		r = add_newer(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return result(r);
}

int pu_linux_seccomp_no_rings(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!ctx)
		return PU_ENOMEM;
	/* As a kernel without it says. */
	r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), NR_IO_URING_SETUP, 0);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return result(r);
}
