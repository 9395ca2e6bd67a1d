#include "base/rfc3339.h"

#include <stdio.h>

#include "base/err.h"

/* Exactly n digits at *ps, moved behind them; -1 when there are fewer. */
static int take(const char **ps, int n)
{
	int v = 0;

	for (; n > 0; n--, (*ps)++) {
		if (**ps < '0' || **ps > '9')
			return -1;
		v = v * 10 + (**ps - '0');
	}
	return v;
}

static bool skip(const char **ps, char c)
{
	if (**ps != c)
		return false;
	(*ps)++;
	return true;
}

static bool is_leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int days_in_month(int y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[m - 1] + (m == 2 && is_leap(y));
}

/* Days from 1970-01-01, proleptic Gregorian. */
static int64_t days_from_civil(int y, int m, int d)
{
	int64_t days = (int64_t)(y - 1) * 365 + (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400;

	for (int i = 1; i < m; i++)
		days += days_in_month(y, i);
	return days + d - 1 - 719162;
}

static int take_zone(const char **ps, int *pminutes)
{
	int sign, h, m;

	if (skip(ps, 'Z') || skip(ps, 'z')) {
		*pminutes = 0;
		return 0;
	}
	if (skip(ps, '+'))
		sign = 1;
	else if (skip(ps, '-'))
		sign = -1;
	else
		return PU_EINVAL;
	h = take(ps, 2);
	if (h < 0 || h > 23 || !skip(ps, ':'))
		return PU_EINVAL;
	m = take(ps, 2);
	if (m < 0 || m > 59)
		return PU_EINVAL;
	*pminutes = sign * (h * 60 + m);
	return 0;
}

int pu_rfc3339_parse(const char *s, int64_t *punix)
{
	int y, mo, d, h, mi, se, zone;

	y = take(&s, 4);
	if (y < 1 || !skip(&s, '-'))
		return PU_EINVAL;
	mo = take(&s, 2);
	if (mo < 1 || mo > 12 || !skip(&s, '-'))
		return PU_EINVAL;
	d = take(&s, 2);
	if (d < 1 || d > days_in_month(y, mo) || !(skip(&s, 'T') || skip(&s, 't')))
		return PU_EINVAL;
	h = take(&s, 2);
	if (h < 0 || h > 23 || !skip(&s, ':'))
		return PU_EINVAL;
	mi = take(&s, 2);
	if (mi < 0 || mi > 59 || !skip(&s, ':'))
		return PU_EINVAL;
	se = take(&s, 2);
	if (se < 0 || se > 60)
		return PU_EINVAL;
	if (skip(&s, '.')) {
		if (take(&s, 1) < 0)
			return PU_EINVAL;
		s += strspn(s, "0123456789");
	}
	if (take_zone(&s, &zone) < 0 || *s)
		return PU_EINVAL;
	*punix = days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + se - zone * 60;
	return 0;
}

const char *pu_rfc3339_text(int64_t unix_s, char *out)
{
	int64_t days = unix_s / 86400, rest = unix_s % 86400;
	int y = 1970, m = 1;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	/* Whole cycles of 400 years first, so that the loops below are short. */
	y += (int)(days / 146097) * 400;
	days %= 146097;
	for (; days < 0; days += is_leap(y) ? 366 : 365)
		y--;
	for (; days >= (is_leap(y) ? 366 : 365); y++)
		days -= is_leap(y) ? 366 : 365;
	for (; days >= days_in_month(y, m); m++)
		days -= days_in_month(y, m);
	/* The remainders only tell the compiler how many digits there can be. */
	snprintf(out, PU_RFC3339_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)y % 10000,
		 (unsigned)m % 100, (unsigned)(days + 1) % 100, (unsigned)(rest / 3600) % 100,
		 (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
	return out;
}
