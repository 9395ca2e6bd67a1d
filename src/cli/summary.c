#include "cli/summary.h"

#include "cli/out.h"
#include "cli/show_trust.h"

const char *pu_summary_text(const json_t *o, const char *key, char out[PU_SUMMARY_TEXT_MAX])
{
	return pu_out_clean(json_string_value(json_object_get(o, key)), out, PU_SUMMARY_TEXT_MAX);
}

static void row(const struct pu_cli *c, const char *label, const char *text)
{
	if (text[0])
		printf("  %s%-10s%s %s\n", pu_out_on(c, PU_OUT_FAINT), label, pu_out_off(c), text);
}

const char *pu_summary_duration(long long s, char out[PU_SUMMARY_TEXT_MAX])
{
	const size_t cap = PU_SUMMARY_TEXT_MAX;

	if (s < 60)
		snprintf(out, cap, "%llds", s);
	else if (s < 3600)
		snprintf(out, cap, "%lldm %llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, cap, "%lldh %lldm", s / 3600, s / 60 % 60);
	else
		snprintf(out, cap, "%lldd %lldh", s / 86400, s / 3600 % 24);
	return out;
}

void pu_summary_bytes(long long n, char *out, size_t cap)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)n;
	size_t u = 0;

	for (; v >= 1024 && u + 1 < PU_ARRAY_LEN(units); u++)
		v /= 1024;
	snprintf(out, cap, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

static void device_row(const struct pu_cli *c, const json_t *vpn)
{
	char name[PU_SUMMARY_TEXT_MAX], v4[PU_SUMMARY_TEXT_MAX], v6[PU_SUMMARY_TEXT_MAX];
	char line[3 * PU_SUMMARY_TEXT_MAX];

	if (!json_is_true(json_object_get(vpn, "up"))) {
		row(c, "device", "none (not started with `up`, and vpn.enabled is false)");
		return;
	}
	snprintf(line, sizeof line, "%s  mtu %lld", pu_summary_text(vpn, "interface", name),
		 (long long)json_integer_value(json_object_get(vpn, "mtu")));
	row(c, "device", line);
	snprintf(line, sizeof line, "%s  %s", pu_summary_text(vpn, "ipv4", v4),
		 pu_summary_text(vpn, "ipv6", v6));
	row(c, "addresses", line);
}

static void dns_row(const struct pu_cli *c, const json_t *vpn)
{
	const json_t *dns = json_object_get(vpn, "dns");
	char suffix[PU_SUMMARY_TEXT_MAX], server[PU_SUMMARY_TEXT_MAX], how[PU_SUMMARY_TEXT_MAX];
	char line[3 * PU_SUMMARY_TEXT_MAX];

	if (!json_is_true(json_object_get(vpn, "up")) || !dns)
		return;
	snprintf(line, sizeof line, "*.%s at %s (%s)", pu_summary_text(dns, "suffix", suffix),
		 pu_summary_text(dns, "server", server), pu_summary_text(dns, "method", how));
	row(c, "names", line);
}

/* What lies behind peers. */
static void route_rows(const struct pu_cli *c, const json_t *vpn)
{
	char prefix[PU_SUMMARY_TEXT_MAX], peer[PU_SUMMARY_TEXT_MAX];
	char line[2 * PU_SUMMARY_TEXT_MAX + 64];
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(vpn, "routes"), i, v) {
		bool used = json_is_true(json_object_get(v, "in_use"));
		bool offered = json_is_true(json_object_get(v, "offered"));

		pu_summary_text(v, json_object_get(v, "name") ? "name" : "peer_id", peer);
		snprintf(line, sizeof line, "%s via %s%s%s", pu_summary_text(v, "prefix", prefix),
			 peer, used ? "" : ", not in use", offered ? "" : ", not offered");
		row(c, i ? "" : "routes", line);
	}
}

void pu_summary_vpn(const struct pu_cli *c, const json_t *vpn)
{
	char subnet[PU_SUMMARY_TEXT_MAX], prefix[PU_SUMMARY_TEXT_MAX];
	char line[3 * PU_SUMMARY_TEXT_MAX];

	device_row(c, vpn);
	snprintf(line, sizeof line, "%s  %s", pu_summary_text(vpn, "subnet", subnet),
		 pu_summary_text(vpn, "ipv6_prefix", prefix));
	row(c, "network", subnet[0] ? line : "");
	dns_row(c, vpn);
	route_rows(c, vpn);
}

static void listen_rows(const struct pu_cli *c, const json_t *status, const char *key,
			const char *label)
{
	const json_t *list = json_object_get(status, key), *v;
	char text[PU_SUMMARY_TEXT_MAX];
	size_t i;

	json_array_foreach(list, i, v)
		row(c, i ? "" : label, pu_out_clean(json_string_value(v), text, sizeof text));
}

/* "[C] Fair - Hole-punchable NAT (stun: …)" */
static void reach_row(const struct pu_cli *c, const json_t *status)
{
	const json_t *o = json_object_get(status, "reachability");
	char grade[PU_SUMMARY_TEXT_MAX], label[PU_SUMMARY_TEXT_MAX];
	char text[PU_SUMMARY_TEXT_MAX], evidence[PU_SUMMARY_TEXT_MAX];
	char line[4 * PU_SUMMARY_TEXT_MAX];

	if (!pu_summary_text(o, "grade", grade)[0])
		return;
	pu_summary_text(o, "evidence", evidence);
	snprintf(line, sizeof line, "[%s] %s - %s%s%s%s", grade,
		 pu_summary_text(o, "label", label), pu_summary_text(o, "description", text),
		 evidence[0] ? "  (" : "", evidence, evidence[0] ? ")" : "");
	row(c, "reachable", line);
}

static void relay_rows(const struct pu_cli *c, const json_t *status)
{
	char id[PU_SUMMARY_TEXT_MAX], state[PU_SUMMARY_TEXT_MAX], until[PU_SUMMARY_TEXT_MAX];
	char why[PU_SUMMARY_TEXT_MAX], line[4 * PU_SUMMARY_TEXT_MAX];
	const json_t *list = json_object_get(status, "relays"), *v;
	size_t i;

	json_array_foreach(list, i, v) {
		pu_summary_text(v, "expires", until);
		why[0] = '\0';
		if (json_object_get(v, "error"))
			pu_summary_text(v, json_object_get(v, "status") ? "status" : "error", why);
		snprintf(line, sizeof line, "%s  %s%s%s%s%s", pu_summary_text(v, "peer_id", id),
			 pu_summary_text(v, "state", state), until[0] ? " until " : "", until,
			 why[0] ? ": " : "", why);
		row(c, i ? "" : "relays", line);
	}
}

void pu_summary_node(const struct pu_cli *c, const json_t *status)
{
	const json_t *vpn = json_object_get(status, "vpn");
	char text[PU_SUMMARY_TEXT_MAX], up[PU_SUMMARY_TEXT_MAX];

	pu_summary_duration(json_integer_value(json_object_get(status, "uptime_seconds")), up);
	pu_summary_text(status, "name", text);
	printf("%s%s%s%s%s  running for %s\n", pu_out_on(c, PU_OUT_GREEN),
	       c->color ? "\u25cf " : "", pu_out_on(c, PU_OUT_BOLD),
	       text[0] ? text : "peerup-vpn", pu_out_off(c), up);
	row(c, "peer id", pu_summary_text(status, "peer_id", text));
	device_row(c, vpn);
	dns_row(c, vpn);
	listen_rows(c, status, "listen_addresses", "listening");
	listen_rows(c, status, "relay_addresses", "via relay");
	relay_rows(c, status);
	reach_row(c, status);
}

static void services_row(const struct pu_cli *c, const json_t *peer)
{
	const json_t *list = json_object_get(peer, "services"), *v;
	char line[PU_SUMMARY_TEXT_MAX] = "", name[PU_SUMMARY_TEXT_MAX];
	json_int_t port;
	size_t i, n = 0;

	json_array_foreach(list, i, v) {
		port = json_integer_value(json_object_get(v, "port"));
		pu_summary_text(v, "name", name);
		if (port)
			n += (size_t)snprintf(line + n, sizeof line - n, "%s%.63s:%lld",
					      i ? ", " : "", name, (long long)port);
		else
			n += (size_t)snprintf(line + n, sizeof line - n, "%s%.63s", i ? ", " : "",
					      name);
		if (n >= sizeof line)
			break;
	}
	row(c, "services", line);
}

static void path_row(const struct pu_cli *c, const json_t *peer)
{
	char path[PU_SUMMARY_TEXT_MAX], transport[PU_SUMMARY_TEXT_MAX];
	char remote[PU_SUMMARY_TEXT_MAX], line[3 * PU_SUMMARY_TEXT_MAX + 64], rtt[48] = "";
	const json_t *ms = json_object_get(peer, "rtt_ms");

	if (ms)
		snprintf(rtt, sizeof rtt, "  rtt %.1f ms", json_number_value(ms));
	snprintf(line, sizeof line, "%s %s%s  %s", pu_summary_text(peer, "path", path),
		 pu_summary_text(peer, "transport", transport), rtt,
		 pu_summary_text(peer, "remote_address", remote));
	row(c, "path", line);
}

static void traffic_row(const struct pu_cli *c, const json_t *peer)
{
	char rx[32], tx[32], line[80];

	pu_summary_bytes(json_integer_value(json_object_get(peer, "rx_bytes")), rx, sizeof rx);
	pu_summary_bytes(json_integer_value(json_object_get(peer, "tx_bytes")), tx, sizeof tx);
	snprintf(line, sizeof line, "%s received, %s sent", rx, tx);
	row(c, "traffic", line);
}

static void print_peer(const struct pu_cli *c, const json_t *peer, const char *suffix)
{
	bool connected = json_is_true(json_object_get(peer, "connected"));
	bool authorized = json_is_true(json_object_get(peer, "authorized"));
	char text[PU_SUMMARY_TEXT_MAX], more[PU_SUMMARY_TEXT_MAX], line[2 * PU_SUMMARY_TEXT_MAX];

	pu_summary_text(peer, "name", text);
	printf("\n%s%s%s%s%s%s%s  %s%s%s%s",
	       pu_out_on(c, connected ? PU_OUT_GREEN : PU_OUT_YELLOW),
	       !c->color ? "" : connected ? "\u25cf " : "\u25cb ", pu_out_on(c, PU_OUT_BOLD),
	       text[0] ? text : "(no name)", text[0] && suffix[0] ? "." : "",
	       text[0] ? suffix : "", pu_out_off(c), connected ? "connected" : "not connected",
	       authorized ? "" : ", not authorized here", authorized ? ", access " : "",
	       pu_summary_text(peer, "access", more));
	if (authorized) {
		fputs("  ", stdout);
		pu_show_badge(c, strcmp(pu_summary_text(peer, "verification", more), "verified") ?
					 PU_SAS_UNVERIFIED : PU_SAS_VERIFIED);
	}
	putchar('\n');
	row(c, "peer id", pu_summary_text(peer, "id", text));
	snprintf(line, sizeof line, "%s%s%s", pu_summary_text(peer, "ipv4", text),
		 text[0] ? "  " : "", pu_summary_text(peer, "ipv6", more));
	row(c, "addresses", line);
	if (connected)
		path_row(c, peer);
	row(c, "because", pu_summary_text(peer, "path_reason", text));
	if (connected)
		traffic_row(c, peer);
	services_row(c, peer);
}

/* A relay of ours that is nothing else has its line among the relays. */
static bool is_only_a_relay(const json_t *peer, const json_t *relays)
{
	const char *id = json_string_value(json_object_get(peer, "id")), *other;
	const json_t *v;
	size_t i;

	if (!id || json_is_true(json_object_get(peer, "authorized")) ||
	    json_object_get(peer, "name"))
		return false;
	json_array_foreach(relays, i, v) {
		other = json_string_value(json_object_get(v, "peer_id"));
		if (other && strcmp(other, id) == 0)
			return true;
	}
	return false;
}

void pu_summary_peers(const struct pu_cli *c, const json_t *status, const char *suffix)
{
	const json_t *relays = json_object_get(status, "relays"), *v;
	size_t i, n = 0;

	json_array_foreach(json_object_get(status, "peers"), i, v) {
		if (is_only_a_relay(v, relays))
			continue;
		print_peer(c, v, suffix);
		n++;
	}
	if (n == 0)
		puts("\nNo peers yet. Let one in: peerup-vpn invite");
}
