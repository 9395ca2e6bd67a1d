#include "daemon/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct ear {
	struct pu_event_listener l;
	struct pu_events *e;
	struct ear *removes;
	bool tells;
	unsigned heard;
};

static void hear(void *arg, const struct pu_event *ev)
{
	struct ear *x = arg;

	x->heard++;
	if (x->removes)
		pu_events_remove(x->e, &x->removes->l);
	x->removes = NULL;
	if (x->tells && ev->kind == PU_EVENT_CONFIG)
		pu_events_tell(x->e, &(struct pu_event){ .kind = PU_EVENT_STOPPING });
}

static void ear_add(struct ear *x, struct pu_events *e)
{
	*x = (struct ear){ .l = { .on_event = hear, .arg = x }, .e = e };
	pu_events_add(e, &x->l);
}

static void everybody_hears_in_order_of_coming(void **state)
{
	struct pu_events e;
	struct ear a, b;

	pu_events_init(&e);
	ear_add(&a, &e);
	ear_add(&b, &e);
	pu_events_tell(&e, &(struct pu_event){ .kind = PU_EVENT_CONFIG });
	assert_int_equal(a.heard, 1);
	assert_int_equal(b.heard, 1);
	pu_events_remove(&e, &a.l);
	pu_events_tell(&e, &(struct pu_event){ .kind = PU_EVENT_CONFIG });
	assert_int_equal(a.heard, 1);
	assert_int_equal(b.heard, 2);
}

static void a_listener_removed_in_between_hears_nothing_more(void **state)
{
	struct pu_events e;
	struct ear a, b, c;

	pu_events_init(&e);
	ear_add(&a, &e);
	ear_add(&b, &e);
	ear_add(&c, &e);
	a.removes = &b;
	pu_events_tell(&e, &(struct pu_event){ .kind = PU_EVENT_NETWORK });
	assert_int_equal(b.heard, 0);
	assert_int_equal(c.heard, 1);
}

/* The inner round removes the listener at which the outer one would have gone on. */
static void a_listener_may_tell_and_another_leave_meanwhile(void **state)
{
	struct pu_events e;
	struct ear a, b, c;

	pu_events_init(&e);
	ear_add(&a, &e);
	ear_add(&b, &e);
	ear_add(&c, &e);
	a.tells = true;
	c.removes = &b;
	pu_events_tell(&e, &(struct pu_event){ .kind = PU_EVENT_CONFIG });
	assert_int_equal(a.heard, 2);
	assert_int_equal(b.heard, 1);
	assert_int_equal(c.heard, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_hears_in_order_of_coming),
		cmocka_unit_test(a_listener_removed_in_between_hears_nothing_more),
		cmocka_unit_test(a_listener_may_tell_and_another_leave_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
