#include "daemon/magic_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

static void fill(const struct pu_mac *mac, uint8_t out[PU_MAGIC_PACKET_LEN])
{
	memset(out, 0xff, 6);
	for (size_t i = 0; i < 16; i++)
		memcpy(out + 6 + i * PU_MAC_LEN, mac->b, PU_MAC_LEN);
}

static int send_to(int fd, const uint8_t *packet, struct in_addr to)
{
	const struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = to,
					.sin_port = htons(PU_MAGIC_PACKET_PORT) };

	return sendto(fd, packet, PU_MAGIC_PACKET_LEN, 0, (const struct sockaddr *)&sa,
		      sizeof sa) < 0 ? pu_err_from_errno(errno) : 0;
}

static int send_everywhere(int fd, const uint8_t *packet, unsigned *pn)
{
	struct ifaddrs *list;
	int r = PU_EUNREACH, one;

	if (getifaddrs(&list) < 0)
		return pu_err_from_errno(errno);
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		const struct sockaddr_in *sa = (const void *)i->ifa_broadaddr;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !sa ||
		    !(i->ifa_flags & IFF_UP) || !(i->ifa_flags & IFF_BROADCAST))
			continue;
		one = send_to(fd, packet, sa->sin_addr);
		*pn += one == 0;
		r = *pn ? 0 : one;
	}
	freeifaddrs(list);
	return r;
}

int pu_magic_packet_send(const struct pu_mac *mac, const char *broadcast, unsigned *pn)
{
	uint8_t packet[PU_MAGIC_PACKET_LEN];
	struct in_addr to;
	int on = 1, fd, r;

	*pn = 0;
	fill(mac, packet);
	if (broadcast && inet_pton(AF_INET, broadcast, &to) != 1)
		return PU_EINVAL;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return pu_err_from_errno(errno);
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) < 0)
		r = pu_err_from_errno(errno);
	else if (broadcast)
		*pn = (r = send_to(fd, packet, to)) == 0;
	else
		r = send_everywhere(fd, packet, pn);
	close(fd);
	return r;
}
