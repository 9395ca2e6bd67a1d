/* Whatever is said to the multicast group. The first byte: bit 0 from the port of mDNS, the
 * rest is milliseconds until the next datagram, whose two bytes of length come first. */
#include <stdlib.h>
#include <arpa/inet.h>

#include "base/err.h"
#include "p2p/discovery/mdns.h"
#include "p2p/discovery/mdns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pu_udp {
	const struct pu_udp_events *ev;
	void *arg;
};

static struct pu_udp udp;
static struct pu_loop loop;
static struct pu_host *host;
static struct pu_mdns *mdns;
static struct pu_key key;

static unsigned fake_interface(struct pu_net *n, const union pu_sockaddr *ip)
{
	return 1;
}

static int fake_open(struct pu_net *n, const union pu_sockaddr *group, const union pu_sockaddr *iface,
		     const struct pu_udp_events *ev, void *arg, struct pu_udp **pu)
{
	udp = (struct pu_udp){ ev, arg };
	*pu = &udp;
	return 0;
}

/* We can read what we write. */
static int fake_send(struct pu_udp *u, const struct pu_dgrams *d)
{
	struct pu_mdns_message m;

	if (d->len > PU_MDNS_SEND_MAX || pu_mdns_parse(pu_bytes(d->p, d->len), "x", &m) < 0)
		abort();
	return 0;
}

static void fake_close(struct pu_udp *u)
{
}

static const struct pu_net_ops ops = { .interface_of = fake_interface, .mcast_open = fake_open, .udp_send = fake_send,
				       .udp_close = fake_close };
static struct pu_net net = { &ops };

static void on_peer(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs, size_t n)
{
	if (n == 0 || n > PU_MDNS_ADDRS_PER_PEER || pu_peerid_eq(peer, &key.peer))
		abort();
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_kind(&addrs[i]) != PU_MA_KIND_TCP &&
		    pu_multiaddr_kind(&addrs[i]) != PU_MA_KIND_QUIC)
			abort();
}

static void random_fixed(void *arg, void *p, size_t n)
{
	memset(p, 0x5a, n);
}

static void prepare(void)
{
	const struct pu_mdns_options opt = { on_peer, NULL };
	struct pu_host_config cfg = { .loop = &loop, .net = &net, .key = &key, .agent = "fuzz",
				      .no_tcp = true, .no_quic = true };
	struct pu_multiaddr ip, own;
	uint8_t seed[32] = { 7 };

	if (mdns)
		return;
	pu_loop_init(&loop, PU_SEC(1), (int64_t)PU_SEC(1700000000), random_fixed, NULL);
	if (pu_crypto_init() < 0 || pu_key_from_seed(&key, seed) < 0 || pu_host_new(&cfg, &host) < 0 ||
	    pu_multiaddr_from_text(&ip, "/ip4/10.0.0.1") < 0 ||
	    pu_multiaddr_from_text(&own, "/ip4/10.0.0.1/tcp/4001") < 0 ||
	    pu_host_advertise(host, &own, &own, 1) < 0 || pu_mdns_new(host, &net, &opt, &mdns) < 0)
		abort();
	pu_mdns_set_interfaces(mdns, &ip, 1);
}

static void arrive(const uint8_t *p, size_t len, bool from_port)
{
	struct pu_dgrams d = { .p = p, .len = len, .segment = len };

	d.remote.v4.sin_family = AF_INET;
	d.remote.v4.sin_addr.s_addr = htonl(0x0a000002);
	d.remote.v4.sin_port = htons(from_port ? PU_MDNS_PORT : 40000);
	udp.ev->on_recv(udp.arg, &d, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	prepare();
	while (size > 3) {
		size_t len = pu_min((size_t)data[1] << 8 | data[2], size - 3);

		pu_loop_enter(&loop, pu_loop_now(&loop) + PU_MS(data[0] >> 1));
		if (len > 0)
			arrive(data + 3, len, data[0] & 1);
		pu_loop_leave(&loop);
		data += 3 + len;
		size -= 3 + len;
	}
	return 0;
}
