#include "daemon/config.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"

void pu_config_diags_add(struct pu_config_diags *d, bool warning, unsigned line,
			 unsigned column, const char *fmt, ...)
{
	struct pu_config_diag *dg;
	va_list ap;
	size_t at;

	if (!warning)
		d->n_errors++;
	if (d->n == PU_CONFIG_DIAGS_MAX) {
		d->n_more++;
		return;
	}
	for (at = d->n; at > 0 && d->v[at - 1].line > line; at--)
		d->v[at] = d->v[at - 1];
	d->n++;
	dg = &d->v[at];
	*dg = (struct pu_config_diag){ .warning = warning, .line = line, .column = column };
	va_start(ap, fmt);
	vsnprintf(dg->text, sizeof dg->text, fmt, ap);
	va_end(ap);
	/* Keys and values are quoted from the file: no terminal sequences. */
	for (char *p = dg->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

void pu_config_diags_failure(const struct pu_config_diags *d, const char *path,
			     struct pu_failure *why)
{
	char what[sizeof why->what];

	for (size_t i = 0; i < d->n; i++) {
		const struct pu_config_diag *dg = &d->v[i];

		if (dg->warning)
			continue;
		if (dg->line)
			snprintf(what, sizeof what, "%s:%u:%u", path, dg->line, dg->column);
		else
			snprintf(what, sizeof what, "%s", path);
		pu_failure_set(why, PU_ECONFIG, what, NULL, "%s", dg->text);
		return;
	}
}
