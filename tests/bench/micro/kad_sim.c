/* How well a DHT of 10,000 nodes is found one's way in, when many have left and others
 * have come, and when some lie. Virtual time; the numbers depend on the seed alone.
 *
 *   kad_sim [nodes [lookups]] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "support/kad_swarm.h"

struct scenario {
	const char *name;
	unsigned churn, liars, paths;
	enum kad_swarm_lie lie;
};

static const struct scenario scenarios[] = {
	{ "quiet", 0, 0, 0, KAD_SWARM_JUNK },
	{ "churn 20 %", 20, 0, 0, KAD_SWARM_JUNK },
	{ "churn 50 %", 50, 0, 0, KAD_SWARM_JUNK },
	{ "churn 50 %, one path", 50, 0, 1, KAD_SWARM_JUNK },
	{ "junk from 20 %", 0, 20, 0, KAD_SWARM_JUNK },
	{ "junk from 20 %, one path", 0, 20, 1, KAD_SWARM_JUNK },
	{ "sybils of 20 %", 0, 20, 0, KAD_SWARM_SYBIL },
	{ "sybils of 20 %, one path", 0, 20, 1, KAD_SWARM_SYBIL },
	{ "churn 20 %, sybils of 10 %", 20, 10, 0, KAD_SWARM_SYBIL },
};

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
}

static long peak_mib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss / 1024;
}

static int run(const struct scenario *sc, unsigned nodes, unsigned lookups)
{
	struct kad_swarm_config cfg = { .n = nodes, .seed = 1, .churn = sc->churn, .liars = sc->liars,
					.lie = sc->lie, .paths = sc->paths };
	struct kad_swarm *s = kad_swarm_new(&cfg);
	struct kad_swarm_report r;

	if (!s) {
		fprintf(stderr, "kad_sim: out of memory\n");
		return -1;
	}
	kad_swarm_measure(s, lookups, &r);
	printf("%-28s %6.2f %5.1f %4u %6.1f %6.1f %6.0f %6u %7u %6.0f %5zu\n", sc->name,
	       100.0 * r.found / r.lookups, r.hops_mean, r.hops_p95, r.asks_mean, r.asks_all,
	       r.ms_mean, r.ms_p95, r.longest_ms, r.table_peers, r.table_bytes / 1024);
	fflush(stdout);
	kad_swarm_free(s);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned nodes = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
	unsigned lookups = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;

	if (nodes < 100 || nodes > 100000 || lookups == 0) {
		fprintf(stderr, "usage: kad_sim [nodes [lookups]]\n");
		return 2;
	}
	printf("%u nodes, %u lookups each; asks and ms until found, all until the walk is over\n",
	       nodes, lookups);
	printf("%-28s %6s %5s %4s %6s %6s %6s %6s %7s %6s %5s\n", "", "found%", "hops", "p95",
	       "asks", "all", "ms", "p95", "longest", "peers", "KiB");
	for (size_t i = 0; i < PU_ARRAY_LEN(scenarios); i++)
		if (run(&scenarios[i], nodes, lookups) < 0)
			return 1;
	printf("%.1f s of CPU, %ld MiB at most\n", cpu_seconds(), peak_mib());
	return 0;
}
