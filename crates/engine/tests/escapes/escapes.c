/* Ways out of the walls round an engine, tried one by one: `escapes VICTIM FILE DATAGRAM STREAM`. VICTIM is a process
   of the same user, FILE a file of that user outside, DATAGRAM and STREAM sockets that somebody listens on.
   Prints a line for each: its name, and "done" or the errno. Changes nothing that a test does not look at. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACE(name, flag) { "clone " name, flag }

static void say(const char *name, long result)
{
	if (result == -1)
		printf("%s: %d\n", name, errno);
	else
		printf("%s: done\n", name);
	fflush(stdout);
}

#define TRY(name, call) (errno = 0, say(name, (long)(call)))
#define KEEP(name, to, call) (errno = 0, (to) = (call), say(name, (to)))

/* Makes a process, which ends at once. */
static long make_process(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long make_process_with_clone3(void)
{
	/* struct clone_args (linux/sched.h), first version. */
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD, 0, 0, 0 };
	long pid = syscall(435, args, sizeof args);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static void *nothing(void *argument)
{
	return argument;
}

static long make_thread(void)
{
	pthread_t thread;
	errno = pthread_create(&thread, NULL, nothing, NULL);
	return errno ? -1 : pthread_join(thread, NULL);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un out = { .sun_family = AF_UNIX };
	strncpy(out.sun_path, path, sizeof out.sun_path - 1);
	return out;
}

static void processes(void)
{
	static const struct { const char *name; unsigned long flag; } spaces[] = {
		NAMESPACE("user", CLONE_NEWUSER), NAMESPACE("user and mount", CLONE_NEWUSER | CLONE_NEWNS),
		NAMESPACE("user and network", CLONE_NEWUSER | CLONE_NEWNET),
		NAMESPACE("user and pid", CLONE_NEWUSER | CLONE_NEWPID), NAMESPACE("user and ipc", CLONE_NEWUSER | CLONE_NEWIPC),
		NAMESPACE("user and uts", CLONE_NEWUSER | CLONE_NEWUTS),
		NAMESPACE("user and cgroup", CLONE_NEWUSER | CLONE_NEWCGROUP),
	};
	TRY("thread", make_thread());
	TRY("fork", make_process(0));
	TRY("clone3", make_process_with_clone3());
	errno = 0;
	pid_t child = vfork();
	if (child == 0)
		_exit(0);
	say("vfork", child);
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
		TRY(spaces[i].name, make_process(spaces[i].flag));
	TRY("prctl death signal", prctl(PR_SET_PDEATHSIG, 0));
	TRY("prctl subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
	TRY("prctl core scheduling", prctl(62, 1, getppid(), 0, 0));
}

static void signals(pid_t victim)
{
	siginfo_t info = { .si_signo = 0, .si_code = SI_QUEUE };
	TRY("kill itself", kill(getpid(), 0));
	TRY("tgkill itself", syscall(SYS_tgkill, getpid(), gettid(), 0));
	TRY("kill", kill(victim, 0));
	TRY("kill group 0", kill(0, 0));
	TRY("kill all", kill(-1, 0));
	TRY("kill a group", kill(-getpgid(victim), 0));
	TRY("tkill", syscall(SYS_tkill, victim, 0));
	TRY("tgkill", syscall(SYS_tgkill, victim, victim, 0));
	TRY("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, victim, 0, &info));
	TRY("rt_tgsigqueueinfo", syscall(SYS_rt_tgsigqueueinfo, victim, victim, 0, &info));
	long pidfd;
	KEEP("pidfd_open", pidfd, syscall(434, victim, 0));
	/* Without a pidfd the call itself is tried: EBADF would say that it got through. */
	TRY("pidfd_send_signal", syscall(424, pidfd, 0, NULL, 0));
	TRY("setpgid", setpgid(0, 0));
	TRY("setsid", setsid());
}

static void scheduling(pid_t victim)
{
	struct rlimit few = { 64, 64 }, own;
	struct sched_param priority = { 0 };
	cpu_set_t first;
	uint32_t attributes[12] = { 48 };
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	TRY("setpriority itself", setpriority(PRIO_PROCESS, 0, 1));
	TRY("sched_setaffinity itself", sched_setaffinity(0, sizeof first, &first));
	TRY("prlimit itself", prlimit(0, RLIMIT_CORE, NULL, &own));
	TRY("prlimit", prlimit(victim, RLIMIT_NOFILE, &few, NULL));
	TRY("setpriority", setpriority(PRIO_PROCESS, victim, 19));
	TRY("setpriority of a group", setpriority(PRIO_PGRP, getpgid(victim), 19));
	TRY("setpriority of a user", setpriority(PRIO_USER, getuid(), 19));
	TRY("ioprio_set", syscall(SYS_ioprio_set, 1, victim, 3 << 13));
	TRY("ioprio_set of a user", syscall(SYS_ioprio_set, 3, getuid(), 3 << 13));
	TRY("sched_setaffinity", sched_setaffinity(victim, sizeof first, &first));
	TRY("sched_setscheduler", sched_setscheduler(victim, SCHED_BATCH, &priority));
	TRY("sched_setparam", sched_setparam(victim, &priority));
	TRY("sched_setattr", syscall(SYS_sched_setattr, victim, attributes, 0));
	TRY("migrate_pages", syscall(SYS_migrate_pages, victim, 0, NULL, NULL));
	TRY("move_pages", syscall(SYS_move_pages, victim, 0, NULL, NULL, NULL, 0));
	TRY("kcmp", syscall(SYS_kcmp, getpid(), victim, 1, 0, 0));
	TRY("ptrace", syscall(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, victim, 0, 0));
	TRY("process_vm_readv", syscall(SYS_process_vm_readv, victim, NULL, 0, NULL, 0, 0));
	TRY("process_madvise", syscall(440, -1, NULL, 0, 0, 0));
	TRY("process_mrelease", syscall(448, -1, 0));
}

static void files(const char *file)
{
	struct f_owner_ex owner = { F_OWNER_PID, getppid() };
	int other = getppid(), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	TRY("chmod", chmod(file, 0777));
	TRY("fchmodat", fchmodat(AT_FDCWD, file, 0777, 0));
	TRY("fchmodat2", syscall(452, AT_FDCWD, file, 0777, 0));
	int path = open(file, O_PATH);
	char proc[64];
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", path);
	TRY("chmod by descriptor", chmod(proc, 0777));
	TRY("chown", fchownat(path, "", -1, getgid(), AT_EMPTY_PATH));
	TRY("utimensat", utimensat(AT_FDCWD, file, (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0));
	TRY("setxattr", syscall(SYS_setxattr, file, "user.x", "y", 1, 0));
	TRY("truncate", truncate(file, 0));
	TRY("inotify_init1", syscall(SYS_inotify_init1, 0));
	TRY("inotify_add_watch", syscall(SYS_inotify_add_watch, -1, file, 2));
	TRY("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, file, NULL, NULL, 0));
	TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
	TRY("F_SETOWN", fcntl(fd, F_SETOWN, other));
	TRY("F_SETOWN_EX", fcntl(fd, F_SETOWN_EX, &owner));
	TRY("F_SETSIG", fcntl(fd, F_SETSIG, SIGKILL));
	TRY("F_NOTIFY", fcntl(open(".", O_RDONLY), F_NOTIFY, DN_CREATE));
	TRY("FIOSETOWN", ioctl(fd, FIOSETOWN, &other));
	TRY("SIOCSPGRP", ioctl(fd, SIOCSPGRP, &other));
	TRY("TIOCSTI", ioctl(fd, TIOCSTI, "x"));
	TRY("FS_IOC_FSSETXATTR", ioctl(fd, 0x401c5820, NULL));
	TRY("FS_IOC_SETFLAGS", ioctl(fd, 0x40086602, &other));
	TRY("BTRFS_IOC_SUBVOL_CREATE", ioctl(fd, 0x5000940e, NULL));
	TRY("file_setattr", syscall(469, AT_FDCWD, file, NULL, 0, 0));
	TRY("open for reading", open(file, O_RDONLY));
	TRY("open for writing", open(file, O_WRONLY | O_APPEND));
	/* Its rank when the kernel ends processes for lack of memory. */
	TRY("open oom_score_adj", open("/proc/self/oom_score_adj", O_WRONLY));
}

static void sockets(const char *datagram, const char *stream)
{
	struct sockaddr_un to = address(datagram), at = address(stream);
	struct sockaddr *name = (struct sockaddr *)&to;
	int pair[2], fd, letter;
	struct iovec text = { "x", 1 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &text, .msg_iovlen = 1 };
	struct mmsghdr messages = { .msg_hdr = message };
	KEEP("stream socket", fd, socket(AF_UNIX, SOCK_STREAM, 0));
	TRY("connect", connect(fd, (struct sockaddr *)&at, sizeof at));
	TRY("bind", bind(fd, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)));
	TRY("listen", listen(fd, 1));
	KEEP("datagram socket", letter, socket(AF_UNIX, SOCK_DGRAM, 0));
	TRY("seqpacket socket", socket(AF_UNIX, SOCK_SEQPACKET, 0));
	TRY("datagram pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	/* Without a datagram socket the call itself is tried. */
	TRY("sendto", sendto(letter, "x", 1, 0, name, sizeof to));
	TRY("sendmsg", sendmsg(letter, &message, 0));
	TRY("sendmmsg", sendmmsg(letter, &messages, 1, 0));
	TRY("tcp socket", socket(AF_INET, SOCK_STREAM, 0));
	TRY("udp6 socket", socket(AF_INET6, SOCK_DGRAM, 0));
	TRY("netlink socket", socket(AF_NETLINK, SOCK_RAW, 0));
	TRY("vsock socket", socket(40, SOCK_STREAM, 0));
	TRY("io_uring_setup", syscall(425, 1, NULL));
	TRY("io_uring_enter", syscall(426, -1, 0, 0, 0, NULL, 0));
	TRY("io_uring_register", syscall(427, -1, 0, NULL, 0));
}

static void shared_memory(void)
{
	long shared, semaphores, queue;
	char path[] = "/tidegate-escapes";
	KEEP("shmget", shared, syscall(SYS_shmget, 0, 4096, 0600));
	TRY("shmctl", syscall(SYS_shmctl, shared, 0, NULL));
	KEEP("semget", semaphores, syscall(SYS_semget, 0, 1, 0600));
	TRY("semctl", syscall(SYS_semctl, semaphores, 0, 0, 0));
	KEEP("msgget", queue, syscall(SYS_msgget, 0, 0600));
	TRY("msgctl", syscall(SYS_msgctl, queue, 0, NULL));
	TRY("mq_open", syscall(SYS_mq_open, path + 1, O_RDWR | O_CREAT, 0600, NULL));
	TRY("mq_unlink", syscall(SYS_mq_unlink, path + 1));
	TRY("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -4));
	TRY("keyctl", syscall(SYS_keyctl, 0, -4, 0));
}

static void kernel(void)
{
	TRY("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
	TRY("setns", syscall(SYS_setns, -1, 0));
	TRY("mount", syscall(SYS_mount, "none", "/nowhere", "tmpfs", 0, NULL));
	TRY("umount2", syscall(SYS_umount2, "/nowhere", 0));
	TRY("pivot_root", syscall(SYS_pivot_root, "/nowhere", "/nowhere"));
	TRY("chroot", syscall(SYS_chroot, "/nowhere"));
	TRY("open_tree", syscall(428, AT_FDCWD, "/", 0));
	TRY("move_mount", syscall(429, -1, "", -1, "", 0));
	TRY("fsopen", syscall(430, "tmpfs", 0));
	TRY("fsconfig", syscall(431, -1, 0, NULL, NULL, 0));
	TRY("fsmount", syscall(432, -1, 0, 0));
	TRY("fspick", syscall(433, AT_FDCWD, "/nowhere", 0));
	TRY("mount_setattr", syscall(442, -1, "", 0, NULL, 0));
	TRY("statmount", syscall(457, NULL, NULL, 0, 0));
	TRY("listmount", syscall(458, NULL, NULL, 0, 0));
	TRY("open_tree_attr", syscall(467, AT_FDCWD, "/nowhere", 0, NULL, 0));
	TRY("init_module", syscall(SYS_init_module, NULL, 0, ""));
	TRY("finit_module", syscall(SYS_finit_module, -1, "", 0));
	TRY("delete_module", syscall(SYS_delete_module, "nothing", 0));
	TRY("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, -1));
	TRY("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, NULL, -1));
	TRY("bpf", syscall(SYS_bpf, -1, NULL, 0));
	TRY("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	TRY("userfaultfd", syscall(SYS_userfaultfd, 1));
	TRY("personality", syscall(SYS_personality, 0xffffffff));
	TRY("acct", syscall(SYS_acct, "/nowhere"));
	TRY("swapon", syscall(SYS_swapon, "/nowhere", 0));
	TRY("swapoff", syscall(SYS_swapoff, "/nowhere"));
	TRY("quotactl", syscall(SYS_quotactl, -1, "/nowhere", 0, NULL));
	TRY("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
	TRY("settimeofday", syscall(SYS_settimeofday, NULL, &(struct timezone){ 0 }));
	TRY("clock_settime", syscall(SYS_clock_settime, -1, NULL));
	TRY("sethostname", syscall(SYS_sethostname, NULL, -1));
	TRY("syslog", syscall(SYS_syslog, 10, NULL, 0));
	TRY("sync", syscall(SYS_sync));
	TRY("a call to come", syscall(470, 0, 0, 0, 0, 0, 0));
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	pid_t victim = atoi(argv[1]);
	processes();
	scheduling(victim);
	files(argv[2]);
	sockets(argv[3], argv[4]);
	shared_memory();
	kernel();
	/* Last: a signal to all may end this one too. */
	signals(victim);
	return 0;
}
