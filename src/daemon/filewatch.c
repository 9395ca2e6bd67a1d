#include "daemon/filewatch.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"

/* The directory of the path, and that of the file a symbolic link leads to. */
enum { AT_LINK, AT_TARGET, PLACES, MISSING_POLL_S = 1, SETTLE_MAX_MS = 2000 };

struct place {
	uv_fs_event_t event;
	struct pu_filewatch *watch; /* NULL: closing */
	char *dir, *name;           /* what to look at in it */
};

/* What differs when the content may differ; no padding, for memcmp(). */
struct print {
	uint64_t there, dev, ino, size, mode;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

struct pu_filewatch {
	struct pu_loop *loop;
	char *path;
	pu_job_fn *fn;
	void *arg;
	struct place *place[PLACES]; /* NULL: not open */
	uint64_t dir_dev, dir_ino;   /* of the path's directory when it was opened */
	struct print seen;
	struct pu_timer settle, poll;
	pu_time poked; /* first, of what has not settled yet */
	bool lost;    /* the places have to be opened anew */
	bool blocked; /* the system gives no watches */
};

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void take_print(const char *path, struct print *out)
{
	struct stat st;

	memset(out, 0, sizeof *out);
	if (stat(path, &st) < 0)
		return;
	*out = (struct print){
		.there = 1, .dev = st.st_dev, .ino = st.st_ino, .size = (uint64_t)st.st_size,
		.mode = st.st_mode, .mtime_s = st.st_mtim.tv_sec, .mtime_ns = st.st_mtim.tv_nsec,
		.ctime_s = st.st_ctim.tv_sec, .ctime_ns = st.st_ctim.tv_nsec,
	};
}

/* --- inotify ---------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct place *p = h->data;

	free(p->dir);
	free(p->name);
	free(p);
}

static void close_place(struct place **pp)
{
	if (!*pp)
		return;
	(*pp)->watch = NULL;
	uv_close((uv_handle_t *)&(*pp)->event, on_closed);
	*pp = NULL;
}

static void on_event(uv_fs_event_t *ev, const char *name, int events, int status)
{
	struct place *p = ev->data;
	struct pu_filewatch *w = p->watch;

	if (!w)
		return;
	/* What happens to the directory itself bears the directory's name. */
	if (status < 0 || !name || strcmp(name, base_of(p->dir)) == 0)
		w->lost = true;
	else if (strcmp(name, p->name) != 0)
		return;
	pu_loop_uv_enter(w->loop);
	pu_filewatch_poke(w);
	pu_loop_uv_leave(w->loop);
}

/* path: of the file, without a link for AT_TARGET. */
static void open_place(struct pu_filewatch *w, struct place **pp, const char *path)
{
	struct place *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return;
	p->watch = w;
	p->dir = dir_of(path);
	p->name = strdup(base_of(path));
	uv_fs_event_init(pu_loop_uv_of(w->loop), &p->event);
	p->event.data = p;
	*pp = p;
	r = p->dir && p->name ? uv_fs_event_start(&p->event, on_event, p->dir, 0) : UV_ENOMEM;
	if (r >= 0)
		return;
	close_place(pp);
	w->lost = true;
	if (r == UV_ENOENT || r == UV_ENOTDIR || w->blocked)
		return;
	w->blocked = true;
	pu_log(PU_LOG_WARN, "files", "changes are noticed only now and then",
	       PU_KV_STR("file", w->path), PU_KV_STR("why", uv_strerror(r)));
}

static bool same_dir(const struct pu_filewatch *w, struct stat *st)
{
	char *dir = dir_of(w->path);
	bool same = dir && stat(dir, st) == 0 && st->st_dev == w->dir_dev &&
		    st->st_ino == w->dir_ino;

	free(dir);
	return same;
}

static void open_places(struct pu_filewatch *w)
{
	struct stat st = { 0 };
	char *target;

	w->lost = false;
	close_place(&w->place[AT_LINK]);
	close_place(&w->place[AT_TARGET]);
	same_dir(w, &st);
	w->dir_dev = st.st_dev;
	w->dir_ino = st.st_ino;
	open_place(w, &w->place[AT_LINK], w->path);
	target = lstat(w->path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(w->path, NULL) : NULL;
	if (target)
		open_place(w, &w->place[AT_TARGET], target);
	free(target);
}

/* --- looking ---------------------------------------------------------------------- */

static void plan_poll(struct pu_filewatch *w)
{
	bool soon = w->lost && !w->blocked;

	pu_timer_set(&w->poll, pu_loop_now(w->loop) +
			       PU_SEC(soon ? MISSING_POLL_S : PU_FILEWATCH_POLL_S));
}

/* A change of the link moves the target. */
static void look(struct pu_filewatch *w)
{
	struct stat st;

	if (w->lost || w->place[AT_TARGET] || !same_dir(w, &st) ||
	    (lstat(w->path, &st) == 0 && S_ISLNK(st.st_mode)))
		open_places(w);
	take_print(w->path, &w->seen);
	plan_poll(w);
}

static void on_settled(void *arg)
{
	struct pu_filewatch *w = arg;

	look(w);
	w->fn(w->arg);
}

static void on_poll(void *arg)
{
	struct pu_filewatch *w = arg;
	struct print now;
	struct stat st;

	take_print(w->path, &now);
	if (memcmp(&now, &w->seen, sizeof now) != 0 || (!w->lost && !same_dir(w, &st))) {
		pu_filewatch_poke(w);
		plan_poll(w);
		return;
	}
	if (w->lost)
		open_places(w);
	plan_poll(w);
}

/* Somebody who never stops writing does not keep us from looking. */
void pu_filewatch_poke(struct pu_filewatch *w)
{
	pu_time now = pu_loop_now(w->loop), at = now + PU_MS(PU_FILEWATCH_SETTLE_MS);

	if (!pu_timer_active(&w->settle))
		w->poked = now;
	if (at > w->poked + PU_MS(SETTLE_MAX_MS))
		at = w->poked + PU_MS(SETTLE_MAX_MS);
	pu_timer_set(&w->settle, at);
}

int pu_filewatch_start(struct pu_loop *loop, const char *path, pu_job_fn *fn, void *arg,
		       struct pu_filewatch **pw)
{
	struct pu_filewatch *w = calloc(1, sizeof *w);

	if (!w)
		return PU_ENOMEM;
	w->path = strdup(path);
	if (!w->path) {
		free(w);
		return PU_ENOMEM;
	}
	w->loop = loop;
	w->fn = fn;
	w->arg = arg;
	pu_timer_init(&w->settle, loop, on_settled, w);
	pu_timer_init(&w->poll, loop, on_poll, w);
	open_places(w);
	take_print(path, &w->seen);
	plan_poll(w);
	*pw = w;
	return 0;
}

void pu_filewatch_stop(struct pu_filewatch *w)
{
	if (!w)
		return;
	pu_timer_stop(&w->settle);
	pu_timer_stop(&w->poll);
	close_place(&w->place[AT_LINK]);
	close_place(&w->place[AT_TARGET]);
	free(w->path);
	free(w);
}

const char *pu_filewatch_path(const struct pu_filewatch *w)
{
	return w->path;
}
