#include "daemon/status_line.h"

#include <stdio.h>

struct tally {
	unsigned direct, relayed;
};

static void count(void *arg, const struct pu_api_path *p)
{
	struct tally *t = arg;

	if (strcmp(p->path, "RELAYED") == 0)
		t->relayed++;
	else
		t->direct++;
}

void pu_status_line(const struct pu_api_ops *ops, void *ops_arg, char *out, size_t cap)
{
	struct pu_api_status st = { .peer = NULL };
	struct tally t = { 0 };

	ops->status(ops_arg, &st);
	ops->each_path(ops_arg, count, &t);
	snprintf(out, cap, "%u peer%s connected (%u direct, %u relayed), reachable: %c %s",
		 t.direct + t.relayed, t.direct + t.relayed == 1 ? "" : "s", t.direct, t.relayed,
		 st.reach_grade ? st.reach_grade : '?', st.reach_label ? st.reach_label : "");
}
