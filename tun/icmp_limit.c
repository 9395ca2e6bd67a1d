#include "tun/icmp_limit.h"

bool pu_icmp_limit_take(struct pu_icmp_limit *l, pu_time now)
{
	const pu_time token = PU_SEC(1) / PU_ICMP_PER_SECOND;
	pu_time from = l->full_at > now ? l->full_at : now;

	if (from - now > (PU_ICMP_BURST - 1) * token) {
		l->refused++;
		return false;
	}
	l->full_at = from + token;
	return true;
}
