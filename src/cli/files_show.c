#include "cli/files_show.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/summary.h"
#include "daemon/json_text.h"

enum { REDRAW_MS = 100, REPORT_MS = 1000, SIZE_MAX_TEXT = 32, LINE_MAX_BYTES = 512, BAR_MAX = 30 };

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void pu_files_show_init(struct pu_files_show *s, const struct pu_cli *c, const char *peer,
			const char *id, bool sending)
{
	const char *term = getenv("TERM");

	*s = (struct pu_files_show){
		.c = c, .peer = peer, .id = id, .sending = sending, .begun_ms = now_ms(),
		.bar = !c->json && isatty(STDOUT_FILENO) && !(term && strcmp(term, "dumb") == 0),
	};
}

static int columns(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

static void erase(struct pu_files_show *s)
{
	if (s->drawn)
		fputs("\r\033[K", stdout);
	s->drawn = false;
}

/* Bytes of name that make at most cols characters. */
static int fitting(const char *name, int cols)
{
	int n = 0;

	for (int chars = 0; name[n]; n++) {
		bool begins = ((unsigned char)name[n] & 0xc0) != 0x80;

		if (begins && chars++ == cols)
			break;
	}
	return n;
}

static double rate(const struct pu_files_show *s)
{
	int64_t ms = now_ms() - s->begun_ms;

	return ms > 0 ? (double)s->moved * 1000 / (double)ms : 0;
}

static void draw_bar(const struct pu_files_show *s, int width)
{
	int full = s->total ? (int)((double)width * (double)s->done / (double)s->total) : width;

	printf(" [%s", pu_out_on(s->c, PU_OUT_GREEN));
	for (int i = 0; i < width; i++) {
		if (i == full)
			fputs(pu_out_off(s->c), stdout);
		putchar(i < full ? '#' : '.');
	}
	printf("%s]", full < width ? "" : pu_out_off(s->c));
}

/* "name [####....]  45%  12.3 MiB/s  0:12" in one line, without what does not fit. */
static void draw(struct pu_files_show *s)
{
	const char *name = s->entry ? strrchr(s->entry->path, '/') : NULL;
	char speed[SIZE_MAX_TEXT], tail[LINE_MAX_BYTES];
	double bps = rate(s);
	long long left = bps >= 1 ? (long long)((double)(s->total - s->done) / bps) : 0;
	int cols = columns() - 1, len, bar, room;

	name = name ? name + 1 : s->entry ? s->entry->path : "";
	pu_summary_bytes((long long)bps, speed, sizeof speed);
	len = snprintf(tail, sizeof tail, " %3d%%  %s/s  %lld:%02lld",
		       s->total ? (int)(s->done * 100 / s->total) : 100, speed, left / 60,
		       left % 60);
	bar = cols - len - 3 > 40 ? BAR_MAX : 0;
	room = cols - len - (bar ? bar + 3 : 0);
	erase(s);
	printf("%.*s", fitting(name, room > 0 ? room : 0), name);
	if (bar)
		draw_bar(s, bar);
	fputs(tail, stdout);
	fflush(stdout);
	s->drawn = true;
}

static void report(const struct pu_files_show *s)
{
	pu_out_json(json_pack("{s:s, s:I, s:I, s:I}", "event", "progress", "bytes",
			      (json_int_t)s->done, "total_bytes", (json_int_t)s->total,
			      "bytes_per_second", (json_int_t)rate(s)));
}

static void refresh(struct pu_files_show *s)
{
	int64_t now = now_ms();

	if (now - s->shown_ms < (s->bar ? REDRAW_MS : REPORT_MS))
		return;
	s->shown_ms = now;
	if (s->bar)
		draw(s);
	else if (s->c->json)
		report(s);
}

static void on_begin(void *arg, const struct pu_files_manifest *m)
{
	struct pu_files_show *s = arg;

	s->total = m->bytes;
	s->begun_ms = s->shown_ms = now_ms();
	if (s->c->json)
		pu_out_json(json_pack("{s:s, s:o, s:s, s:I, s:I}", "event", "begin", "peer",
				      pu_json_text(s->peer), "peer_id", s->id, "files",
				      (json_int_t)m->n_files, "total_bytes",
				      (json_int_t)m->bytes));
}

static void on_file(void *arg, const struct pu_files_entry *e, uint64_t offset)
{
	struct pu_files_show *s = arg;

	s->entry = e;
	s->entry_at = offset;
	s->done += offset;
	refresh(s);
}

static void on_bytes(void *arg, uint64_t n)
{
	struct pu_files_show *s = arg;

	s->entry_at += n;
	s->done += n;
	s->moved += n;
	refresh(s);
}

static void show_file_json(const struct pu_files_entry *e, enum pu_files_status status,
			   const char *as, bool same)
{
	pu_out_json(json_pack("{s:s, s:o, s:I, s:s, s:b, s:o*}", "event", "file", "path",
			      pu_json_text(e->path), "size", (json_int_t)e->size, "status",
			      pu_files_status_name(status), "same", same, "saved_as",
			      as ? pu_json_text(as) : NULL));
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void on_file_done(void *arg, const struct pu_files_entry *e, enum pu_files_status status,
			 const char *as, bool same)
{
	struct pu_files_show *s = arg;
	char size[SIZE_MAX_TEXT];
	bool renamed = as && strcmp(as, base_of(e->path)) != 0;

	if (same)
		s->done += e->size;
	if (s->c->json) {
		show_file_json(e, status, as, same);
		return;
	}
	if (status != PU_FILES_OK) {
		erase(s);
		fflush(stdout);
		fprintf(stderr, "peerup-vpn: %s: %s\n", e->path, pu_files_status_text(status));
	} else if (renamed) {
		erase(s);
		printf("%s: saved as %s\n", e->path, as);
	} else if (!s->bar && e->kind == PU_FILES_FILE) {
		pu_summary_bytes((long long)e->size, size, sizeof size);
		printf("%s  %s%s\n", e->path, size, same ? "  there already" : "");
	}
	fflush(stdout);
}

const struct pu_files_events pu_files_show_events = {
	.on_begin = on_begin,
	.on_file = on_file,
	.on_bytes = on_bytes,
	.on_file_done = on_file_done,
};

static void end_json(const struct pu_files_show *s, const struct pu_files_result *r, int err)
{
	const char *why = r->status ? pu_files_status_name(r->status) : err < 0 ? "lost" : "ok";

	pu_out_json(json_pack("{s:s, s:s, s:o, s:s, s:i, s:i, s:i, s:I, s:f}", "event", "end",
			      "status", why, "peer", pu_json_text(s->peer), "peer_id", s->id,
			      "files", (int)r->n_files, "same", (int)r->n_same, "failed",
			      (int)r->n_failed, "bytes", (json_int_t)r->bytes, "seconds",
			      (double)(now_ms() - s->begun_ms) / 1000));
}

void pu_files_show_end(struct pu_files_show *s, const struct pu_files_result *r, int err)
{
	char size[SIZE_MAX_TEXT], speed[SIZE_MAX_TEXT];
	double seconds = (double)(now_ms() - s->begun_ms) / 1000;

	erase(s);
	if (s->c->json) {
		end_json(s, r, err);
		return;
	}
	if (err == 0) {
		pu_summary_bytes((long long)r->bytes, size, sizeof size);
		pu_summary_bytes((long long)rate(s), speed, sizeof speed);
		printf("%s %u file%s %s %s: %s in %.1f s, %s/s", s->sending ? "Sent" : "Received",
		       r->n_files, r->n_files == 1 ? "" : "s", s->sending ? "to" : "from", s->peer,
		       size, seconds, speed);
		if (r->n_same)
			printf("; %u %s there already", r->n_same, r->n_same == 1 ? "was" : "were");
		if (r->n_failed)
			printf("; %u failed", r->n_failed);
		putchar('\n');
	}
	fflush(stdout);
}

void pu_files_show_skip(void *arg, const char *path, const char *why)
{
	struct pu_files_show *s = arg;
	char clean[LINE_MAX_BYTES];

	if (s->c->json)
		pu_out_json(json_pack("{s:s, s:o, s:s}", "event", "skipped", "path",
				      pu_json_text(path), "why", why));
	else
		fprintf(stderr, "peerup-vpn: %s is left out: %s\n",
			pu_out_clean(path, clean, sizeof clean), why);
}
