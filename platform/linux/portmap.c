#include "platform/portmap.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "platform/linux/portmap_job.h"

enum {
	SOON_MS = 1000,
	STACK_SIZE = 512 * 1024,
	LOST_MAX = 2, /* threads that a router may keep before it is left alone */
};

/* A job and the thread that does it. Both sides hold it; the last one frees it. */
struct round {
	struct pu_linux_portmap_job job;
	pthread_mutex_t lock;
	unsigned refs;
	bool done;
	uv_async_t *wake; /* NULL: nobody waits any more */
	atomic_bool stop;
};

enum portmap_state { PORTMAP_RUNNING, PORTMAP_STOPPING, PORTMAP_STOPPED };

struct pu_portmap {
	struct pu_loop *loop;
	const struct pu_portmap_events *ev;
	void *arg;
	enum portmap_state state;
	struct pu_linux_portmap_job known; /* what the last round found */
	struct round *round;               /* under way */
	struct round *lost[LOST_MAX];      /* given up, but not over */
	bool again;                        /* the network changed meanwhile */
	uv_async_t *wake;
	struct pu_timer timer; /* next round, or its limit */
	unsigned retry_s;
	pu_job_fn *on_stopped;
	void *stopped_arg;
};

static const char *const method_text[] = {
	[PU_LINUX_PORTMAP_NONE] = "none",
	[PU_LINUX_PORTMAP_PCP] = "pcp",
	[PU_LINUX_PORTMAP_NATPMP] = "nat-pmp",
	[PU_LINUX_PORTMAP_UPNP] = "upnp",
};

const char *pu_portmap_built_in(void)
{
	if (pu_linux_natpmp_built_in)
		return pu_linux_upnp_built_in ? "pcp nat-pmp upnp" : "pcp nat-pmp";
	return pu_linux_upnp_built_in ? "pcp upnp" : "pcp";
}

/* Rounds. */

static void round_unref(struct round *r)
{
	bool last;

	pthread_mutex_lock(&r->lock);
	last = --r->refs == 0;
	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *thread_main(void *arg)
{
	struct round *r = arg;

	pu_linux_portmap_job_run(&r->job);
	pthread_mutex_lock(&r->lock);
	r->done = true;
	if (r->wake)
		uv_async_send(r->wake);
	pthread_mutex_unlock(&r->lock);
	round_unref(r);
	return NULL;
}

/* Signals are the first thread's. */
static int spawn(struct round *r)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t t;
	int err;

	sigfillset(&all);
	if (pthread_attr_init(&attr) != 0)
		return PU_ENOMEM;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&t, &attr, thread_main, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err ? PU_ESYS : 0;
}

static bool is_done(struct round *r)
{
	bool done;

	pthread_mutex_lock(&r->lock);
	done = r->done;
	pthread_mutex_unlock(&r->lock);
	return done;
}

/* A thread that does not come back is forgotten, but counted. */
static bool has_place_for_lost(struct pu_portmap *m)
{
	bool place = false;

	for (size_t i = 0; i < LOST_MAX; i++) {
		if (m->lost[i] && is_done(m->lost[i])) {
			round_unref(m->lost[i]);
			m->lost[i] = NULL;
		}
		place |= !m->lost[i];
	}
	return place;
}

static void lose_round(struct pu_portmap *m)
{
	struct round *r = m->round;

	m->round = NULL;
	pthread_mutex_lock(&r->lock);
	r->wake = NULL;
	pthread_mutex_unlock(&r->lock);
	r->stop = true;
	for (size_t i = 0; i < LOST_MAX; i++) {
		if (m->lost[i])
			continue;
		m->lost[i] = r;
		return;
	}
	round_unref(r);
}

static int start_round(struct pu_portmap *m, bool remove)
{
	struct round *r;
	int err;

	if (!has_place_for_lost(m))
		return PU_ELIMIT;
	r = calloc(1, sizeof *r);
	if (!r)
		return PU_ENOMEM;
	r->job = m->known;
	r->job.remove = remove;
	r->job.stop = &r->stop;
	r->wake = m->wake;
	r->refs = 2;
	if (pthread_mutex_init(&r->lock, NULL) != 0) {
		free(r);
		return PU_ENOMEM;
	}
	err = spawn(r);
	if (err < 0) {
		pthread_mutex_destroy(&r->lock);
		free(r);
		return err;
	}
	m->round = r;
	return 0;
}

/* Results. */

static struct pu_prefix prefix_of(struct in_addr ip)
{
	struct pu_prefix p = { 0 };

	if (ip.s_addr == INADDR_ANY)
		return p;
	p.family = AF_INET;
	p.bits = 32;
	memcpy(p.addr, &ip, 4);
	return p;
}

static size_t list_mappings(const struct pu_linux_portmap_job *j,
			    struct pu_portmap_mapping out[PU_PORTMAP_PORTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < j->n; i++) {
		const struct pu_linux_portmap_entry *e = &j->entry[i];

		if (e->lifetime_s > 0)
			out[n++] = (struct pu_portmap_mapping){
				.tcp = e->tcp,
				.port = e->port,
				.external = prefix_of(e->external_ip),
				.external_port = e->external,
				.lifetime_s = e->lifetime_s,
			};
	}
	return n;
}

static bool same_mappings(const struct pu_linux_portmap_job *a,
			  const struct pu_linux_portmap_job *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct pu_linux_portmap_entry *x = &a->entry[i], *y = &b->entry[i];

		if ((x->lifetime_s > 0) != (y->lifetime_s > 0) ||
		    (x->lifetime_s > 0 && (x->external != y->external ||
					   x->external_ip.s_addr != y->external_ip.s_addr)))
			return false;
	}
	return true;
}

/* A grant that runs out before it can be renewed is none. */
static void drop_short(struct pu_linux_portmap_job *j)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->entry[i].lifetime_s < PU_PORTMAP_RENEW_MIN_S)
			j->entry[i].lifetime_s = 0;
}

static void tell(struct pu_portmap *m)
{
	struct pu_portmap_mapping list[PU_PORTMAP_PORTS_MAX];
	size_t n = list_mappings(&m->known, list);

	pu_log(PU_LOG_INFO, "portmap", n ? "ports are mapped" : "no port is mapped",
	       PU_KV_STR("method", method_text[m->known.method]), PU_KV_U64("ports", n),
	       PU_KV_ERR(m->known.err));
	if (m->ev->on_mappings)
		m->ev->on_mappings(m->arg, list, n);
}

static unsigned next_round_s(struct pu_portmap *m)
{
	unsigned s = PU_PORTMAP_RENEW_S;
	bool any = false;

	for (size_t i = 0; i < m->known.n; i++) {
		uint32_t lifetime = m->known.entry[i].lifetime_s;

		any |= lifetime > 0;
		if (lifetime > 0 && lifetime / 2 < s)
			s = lifetime / 2;
	}
	if (any) {
		m->retry_s = PU_PORTMAP_RETRY_S;
		return s > PU_PORTMAP_RENEW_MIN_S ? s : PU_PORTMAP_RENEW_MIN_S;
	}
	s = m->retry_s;
	m->retry_s = s * 2 < PU_PORTMAP_RETRY_MAX_S ? s * 2 : PU_PORTMAP_RETRY_MAX_S;
	return s;
}

static void plan(struct pu_portmap *m)
{
	pu_time wait = m->again ? PU_MS(SOON_MS) : PU_SEC(next_round_s(m));

	m->again = false;
	pu_timer_set(&m->timer, pu_loop_now(m->loop) + wait);
}

static void take_result(struct pu_portmap *m, const struct pu_linux_portmap_job *j)
{
	struct pu_linux_portmap_job before = m->known;

	m->known = *j;
	drop_short(&m->known);
	plan(m);
	if (!same_mappings(&before, &m->known))
		tell(m);
}

/* Stop. */

static void stopped(struct pu_portmap *m)
{
	pu_job_fn *on_stopped = m->on_stopped;

	pu_timer_stop(&m->timer);
	m->state = PORTMAP_STOPPED;
	m->on_stopped = NULL;
	if (on_stopped)
		on_stopped(m->stopped_arg);
}

static bool any_mapped(const struct pu_portmap *m)
{
	struct pu_portmap_mapping list[PU_PORTMAP_PORTS_MAX];

	return list_mappings(&m->known, list) > 0;
}

/* What is mapped is known for certain only when the last round is over. */
static void stop_on(struct pu_portmap *m)
{
	if (m->round)
		return;
	if (!any_mapped(m) || start_round(m, true) < 0)
		stopped(m);
}

/* At the end of the last round m may be gone afterwards. */
static void on_round_over(struct pu_portmap *m)
{
	struct pu_linux_portmap_job j = m->round->job;

	round_unref(m->round);
	m->round = NULL;
	j.stop = NULL;
	if (m->state == PORTMAP_RUNNING) {
		take_result(m, &j);
		return;
	}
	m->known = j;
	if (j.remove)
		stopped(m);
	else
		stop_on(m);
}

/* What the loop tells. */

static void on_wake(uv_async_t *h)
{
	struct pu_portmap *m = h->data;
	struct pu_loop *loop = m->loop;

	pu_loop_uv_enter(loop);
	if (m->round && is_done(m->round))
		on_round_over(m);
	pu_loop_uv_leave(loop);
}

static void begin(struct pu_portmap *m)
{
	if (start_round(m, false) < 0) {
		plan(m);
		return;
	}
	pu_timer_set(&m->timer, pu_loop_now(m->loop) + PU_SEC(PU_PORTMAP_ROUND_S));
}

static void on_timer(void *arg)
{
	struct pu_portmap *m = arg;

	if (m->round)
		lose_round(m);
	else if (m->state == PORTMAP_RUNNING) {
		begin(m);
		return;
	}
	if (m->state == PORTMAP_RUNNING)
		plan(m);
	else if (m->state == PORTMAP_STOPPING)
		stopped(m);
}

/* Life. */

static void on_wake_closed(uv_handle_t *h)
{
	free(h);
}

static int open_wake(struct pu_portmap *m)
{
	m->wake = malloc(sizeof *m->wake);
	if (!m->wake)
		return PU_ENOMEM;
	if (uv_async_init(pu_loop_uv_of(m->loop), m->wake, on_wake) < 0) {
		free(m->wake);
		m->wake = NULL;
		return PU_ESYS;
	}
	m->wake->data = m;
	return 0;
}

int pu_portmap_start(struct pu_loop *loop, const struct pu_portmap_port *ports, size_t n,
		     const struct pu_portmap_events *ev, void *arg, struct pu_portmap **pm)
{
	struct pu_portmap *m;
	int r;

	if (n == 0)
		return PU_EINVAL;
	if (n > PU_PORTMAP_PORTS_MAX)
		return PU_ELIMIT;
	m = calloc(1, sizeof *m);
	if (!m)
		return PU_ENOMEM;
	m->loop = loop;
	m->ev = ev;
	m->arg = arg;
	m->retry_s = PU_PORTMAP_RETRY_S;
	m->known.n = n;
	for (size_t i = 0; i < n; i++) {
		struct pu_linux_portmap_entry *e = &m->known.entry[i];

		e->tcp = ports[i].tcp;
		e->port = ports[i].port;
		pu_loop_random(loop, e->nonce, sizeof e->nonce);
	}
	pu_timer_init(&m->timer, loop, on_timer, m);
	r = open_wake(m);
	if (r < 0) {
		free(m);
		return r;
	}
	begin(m);
	*pm = m;
	return 0;
}

void pu_portmap_network_changed(struct pu_portmap *m)
{
	if (m->state != PORTMAP_RUNNING)
		return;
	m->retry_s = PU_PORTMAP_RETRY_S;
	m->again = true;
	if (!m->round)
		plan(m);
}

void pu_portmap_stop(struct pu_portmap *m, pu_job_fn *on_stopped, void *arg)
{
	pu_time now = pu_loop_now(m->loop);

	m->state = PORTMAP_STOPPING;
	m->on_stopped = on_stopped;
	m->stopped_arg = arg;
	if (m->round)
		m->round->stop = true;
	else if (!any_mapped(m) || start_round(m, true) < 0) {
		/* Nothing to wait for, but callbacks come later. */
		pu_timer_set(&m->timer, now);
		return;
	}
	pu_timer_set(&m->timer, now + PU_SEC(PU_PORTMAP_STOP_S));
}

void pu_portmap_free(struct pu_portmap *m)
{
	if (!m)
		return;
	pu_timer_stop(&m->timer);
	if (m->round)
		lose_round(m);
	for (size_t i = 0; i < LOST_MAX; i++)
		if (m->lost[i])
			round_unref(m->lost[i]);
	uv_close((uv_handle_t *)m->wake, on_wake_closed);
	free(m);
}

void pu_portmap_status(const struct pu_portmap *m, struct pu_portmap_status *out)
{
	struct pu_portmap_mapping list[PU_PORTMAP_PORTS_MAX];

	*out = (struct pu_portmap_status){
		.method = method_text[m->known.method],
		.gateway = prefix_of(m->known.gateway),
		.err = m->known.err,
		.n_mapped = list_mappings(&m->known, list),
	};
}
