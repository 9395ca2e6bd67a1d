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

unsigned nomem_countdown;
bool nomem_happened;

static bool fails(void)
{
	if (nomem_countdown == 0 || --nomem_countdown > 0)
		return false;
	nomem_happened = true;
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

static void ignore(void *arg)
{
	(void)arg;
}

void nomem_warm_up(struct pu_loop *loop)
{
	struct pu_timer timers[60];

	for (unsigned i = 0; i < PU_ARRAY_LEN(timers); i++) {
		pu_timer_init(&timers[i], loop, ignore, NULL);
		pu_timer_set(&timers[i], PU_SEC(1000000));
	}
	for (unsigned i = 0; i < PU_ARRAY_LEN(timers); i++)
		pu_timer_stop(&timers[i]);
}
