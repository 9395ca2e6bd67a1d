/* A link emulator in user space, for kernels without netem.
 *
 *   host a ─── TAP a ═══ [ rate → queue → delay, jitter, loss, reorder ] ═══ TAP b ─── host b
 *
 * It makes two TAP devices, prints "ready" and passes Ethernet frames between them. Move
 * the devices into the hosts' network namespaces (ip link set a netns …); they vanish with
 * this process. Both directions behave alike and independently. TAP devices without offloads
 * give and take one frame at a time, so a frame here is a packet on the wire.
 *
 * Lines on standard input change the link while it runs: "delay=50 loss=3". */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_MAX = 65536,
	HELD_MAX = 65536, /* frames in flight per direction */
	READ_BUDGET = 64, /* frames read per turn, so that neither direction starves */
	LINE_LEN = 512,
};

static const uint64_t NS_PER_MS = 1000000;
static const uint64_t NEVER = UINT64_MAX;

struct link_params {
	double delay_ms;
	double jitter_ms;    /* uniform, plus or minus; never reorders by itself */
	double rate_mbit;    /* 0: unlimited */
	double loss_percent;
	double reorder_percent; /* frames that come late and are overtaken */
	double late_ms;         /* by how much */
	double queue_ms;     /* what waits longer for its turn to be sent is dropped */
};

static const struct param {
	const char *name;
	size_t offset;
} params[] = {
	{ "delay", offsetof(struct link_params, delay_ms) },
	{ "jitter", offsetof(struct link_params, jitter_ms) },
	{ "rate", offsetof(struct link_params, rate_mbit) },
	{ "loss", offsetof(struct link_params, loss_percent) },
	{ "reorder", offsetof(struct link_params, reorder_percent) },
	{ "late", offsetof(struct link_params, late_ms) },
	{ "queue", offsetof(struct link_params, queue_ms) },
};

struct frame {
	uint64_t due;
	uint64_t seq; /* keeps frames of the same instant in order */
	size_t len;
	uint8_t *bytes;
};

/* One direction: frames in flight as a heap, the next due on top. */
struct way {
	int from, to;
	struct frame *held;
	size_t n_held;
	uint64_t next_seq;
	uint64_t busy_until; /* the sender has put everything so far onto the wire */
	uint64_t last_due;
	uint64_t passed, lost, overflowed;
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

/* xorshift64*: the same seed loses the same frames. */
static double random_unit(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (double)((*state * 0x2545f4914f6cdd1dULL) >> 11) / (double)(1ULL << 53);
}

static bool frame_before(const struct frame *a, const struct frame *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void frame_swap(struct frame *a, struct frame *b)
{
	struct frame t = *a;

	*a = *b;
	*b = t;
}

static void held_push(struct way *w, struct frame f)
{
	size_t i = w->n_held++;

	w->held[i] = f;
	while (i > 0 && frame_before(&w->held[i], &w->held[(i - 1) / 2])) {
		frame_swap(&w->held[i], &w->held[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static struct frame held_pop(struct way *w)
{
	struct frame top = w->held[0];
	size_t i = 0;

	w->held[0] = w->held[--w->n_held];
	for (;;) {
		size_t least = i, l = 2 * i + 1, r = l + 1;

		if (l < w->n_held && frame_before(&w->held[l], &w->held[least]))
			least = l;
		if (r < w->n_held && frame_before(&w->held[r], &w->held[least]))
			least = r;
		if (least == i)
			return top;
		frame_swap(&w->held[i], &w->held[least]);
		i = least;
	}
}

/* When the far end gets a frame that arrives now. */
static uint64_t schedule(struct way *w, const struct link_params *p, size_t len, uint64_t now,
			 uint64_t *seed)
{
	double wait_ms = p->delay_ms;
	uint64_t sent, due;

	sent = w->busy_until > now ? w->busy_until : now;
	if (p->rate_mbit > 0)
		sent += (uint64_t)((double)len * 8000 / p->rate_mbit);
	w->busy_until = sent;
	if (random_unit(seed) * 100 < p->reorder_percent)
		return sent + (uint64_t)((wait_ms + p->late_ms) * (double)NS_PER_MS);
	if (p->jitter_ms > 0)
		wait_ms += (2 * random_unit(seed) - 1) * p->jitter_ms;
	due = sent + (uint64_t)((wait_ms > 0 ? wait_ms : 0) * (double)NS_PER_MS);
	if (due < w->last_due)
		due = w->last_due;
	w->last_due = due;
	return due;
}

static void accept_frame(struct way *w, const struct link_params *p, const uint8_t *bytes,
			 size_t len, uint64_t *seed)
{
	uint64_t now = now_ns();
	struct frame f = { .len = len };

	if (random_unit(seed) * 100 < p->loss_percent) {
		w->lost++;
		return;
	}
	if (w->n_held == HELD_MAX ||
	    (p->rate_mbit > 0 && w->busy_until > now + (uint64_t)(p->queue_ms * (double)NS_PER_MS))) {
		w->overflowed++;
		return;
	}
	f.bytes = malloc(len);
	if (!f.bytes) {
		w->overflowed++;
		return;
	}
	memcpy(f.bytes, bytes, len);
	f.seq = w->next_seq++;
	f.due = schedule(w, p, len, now, seed);
	held_push(w, f);
}

static void read_frames(struct way *w, const struct link_params *p, uint64_t *seed)
{
	static uint8_t bytes[FRAME_MAX];

	for (int i = 0; i < READ_BUDGET; i++) {
		ssize_t n = read(w->from, bytes, sizeof(bytes));

		if (n <= 0)
			return;
		accept_frame(w, p, bytes, (size_t)n, seed);
	}
}

/* Returns when the next frame is due. */
static uint64_t deliver(struct way *w)
{
	uint64_t now = now_ns();

	while (w->n_held > 0 && w->held[0].due <= now) {
		struct frame f = held_pop(w);

		/* EIO: the far device is down, as an unplugged cable. */
		if (write(w->to, f.bytes, f.len) >= 0)
			w->passed++;
		else
			w->lost++;
		free(f.bytes);
	}
	return w->n_held > 0 ? w->held[0].due : NEVER;
}

static bool set_param(struct link_params *p, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		char *end;
		double v;

		if (strcmp(params[i].name, name) != 0)
			continue;
		v = strtod(value, &end);
		if (end == value || *end || !(v >= 0))
			return false;
		memcpy((char *)p + params[i].offset, &v, sizeof(v));
		return true;
	}
	return false;
}

/* One line of name=value words; false at the end of the input. */
static bool read_control(struct link_params *p)
{
	char line[LINE_LEN], *word, *rest = line;
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	line[n] = '\0';
	while ((word = strtok_r(rest, " \n", &rest))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (!value || !set_param(p, word, value))
			fprintf(stderr, "wire: cannot set %s\n", word);
	}
	return true;
}

static int open_tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void run(struct way *ways, struct link_params *p, uint64_t seed)
{
	struct pollfd fds[3] = {
		{ .fd = ways[0].from, .events = POLLIN },
		{ .fd = ways[1].from, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	while (!stopped) {
		uint64_t a = deliver(&ways[0]), b = deliver(&ways[1]);
		uint64_t next = a < b ? a : b, now = now_ns();
		uint64_t wait = next > now ? next - now : 0;
		struct timespec ts = { .tv_sec = (time_t)(wait / (1000 * NS_PER_MS)),
				       .tv_nsec = (long)(wait % (1000 * NS_PER_MS)) };

		if (ppoll(fds, 3, next == NEVER ? NULL : &ts, NULL) < 0 && errno != EINTR)
			break;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				read_frames(&ways[i], p, &seed);
		if (fds[2].revents && !read_control(p))
			fds[2].fd = -1;
	}
}

static void usage(FILE *to)
{
	fprintf(to, "usage: wire --a DEVICE --b DEVICE [--delay MS] [--jitter MS] [--rate MBIT]\n"
		    "            [--loss PERCENT] [--reorder PERCENT] [--late MS] [--queue MS]\n"
		    "            [--seed N]\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "a", required_argument, NULL, 'a' },
		{ "b", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' },
		{ "delay", required_argument, NULL, 'p' },
		{ "jitter", required_argument, NULL, 'p' },
		{ "rate", required_argument, NULL, 'p' },
		{ "loss", required_argument, NULL, 'p' },
		{ "reorder", required_argument, NULL, 'p' },
		{ "late", required_argument, NULL, 'p' },
		{ "queue", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	struct link_params p = { .late_ms = 3, .queue_ms = 100 };
	const char *names[2] = { NULL, NULL };
	struct way ways[2] = { { .from = -1 }, { .from = -1 } };
	uint64_t seed = 1;
	int which, c;

	while ((c = getopt_long(argc, argv, "", options, &which)) != -1) {
		if (c == 'a' || c == 'b') {
			names[c - 'a'] = optarg;
		} else if (c == 's') {
			seed = strtoull(optarg, NULL, 10) + 1;
		} else if (c != 'p' || !set_param(&p, options[which].name, optarg)) {
			usage(stderr);
			return 2;
		}
	}
	if (!names[0] || !names[1] || optind != argc) {
		usage(stderr);
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		ways[i].from = open_tap(names[i]);
		ways[i].held = calloc(HELD_MAX, sizeof(*ways[i].held));
		if (ways[i].from < 0 || !ways[i].held) {
			fprintf(stderr, "wire: %s: %s\n", names[i], strerror(errno));
			return 1;
		}
	}
	ways[0].to = ways[1].from;
	ways[1].to = ways[0].from;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	seed *= 0x9e3779b97f4a7c15ULL;
	puts("ready");
	fflush(stdout);

	run(ways, &p, seed);

	for (int i = 0; i < 2; i++) {
		fprintf(stderr, "wire: %s: %llu passed, %llu lost, %llu overflowed\n", names[i],
			(unsigned long long)ways[i].passed, (unsigned long long)ways[i].lost,
			(unsigned long long)ways[i].overflowed);
		while (ways[i].n_held > 0)
			free(held_pop(&ways[i]).bytes);
		free(ways[i].held);
		close(ways[i].from);
	}
	return 0;
}
