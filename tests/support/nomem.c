#include "support/nomem.h"

#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static unsigned countdown; /* 0: nothing fails */
static bool happened;

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	happened = true;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t k, size_t n)
{
	return fails() ? NULL : __real_calloc(k, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

void nomem_arm(unsigned n)
{
	happened = false;
	countdown = n;
}

bool nomem_happened(void)
{
	countdown = 0;
	return happened;
}

static void ignore(void *arg)
{
}

void nomem_spare_timers(struct pu_loop *loop)
{
	struct pu_timer timers[120];

	for (unsigned i = 0; i < PU_ARRAY_LEN(timers); i++) {
		pu_timer_init(&timers[i], loop, ignore, NULL);
		pu_timer_set(&timers[i], PU_SEC(1000000));
	}
	for (unsigned i = 0; i < PU_ARRAY_LEN(timers); i++)
		pu_timer_stop(&timers[i]);
}
