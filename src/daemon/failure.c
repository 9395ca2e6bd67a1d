#include "daemon/failure.h"

#include <stdarg.h>
#include <stdio.h>

int pu_failure_set(struct pu_failure *f, int err, const char *what, const char *hint,
		   const char *why_fmt, ...)
{
	va_list ap;

	if (!f || pu_failure_is_set(f))
		return err;
	snprintf(f->what, sizeof f->what, "%s", what ? what : "");
	snprintf(f->hint, sizeof f->hint, "%s", hint ? hint : "");
	va_start(ap, why_fmt);
	vsnprintf(f->why, sizeof f->why, why_fmt, ap);
	va_end(ap);
	return err;
}
