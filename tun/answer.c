#include "tun/reader.h"

#include <sys/uio.h>

#include "base/err.h"
#include "tun/vnet.h"

int pu_tun_write_packet(struct pu_tun_device *dev, const uint8_t *ip, size_t len)
{
	struct virtio_net_hdr v = { 0 };
	const struct iovec iov[] = { { &v, sizeof v }, { (uint8_t *)ip, len } };

	return pu_tun_device_write(dev, iov, 2);
}

int pu_tun_answer_error(struct pu_tun_device *dev, struct pu_icmp_limit *limit, pu_time now,
			const struct pu_tun_frame *f, enum pu_icmp_error what, uint32_t mtu,
			const struct pu_ip *from)
{
	uint8_t out[PU_ICMP_ERROR_MAX];
	int n = pu_packet_icmp_error(out, pu_tun_frame_ip(f), f->info.total_len, &f->info, what,
				     mtu, from);

	if (n < 0)
		return n;
	if (!pu_icmp_limit_take(limit, now))
		return PU_EDENIED;
	return pu_tun_write_packet(dev, out, (size_t)n);
}

int pu_tun_answer_echo(struct pu_tun_device *dev, struct pu_tun_frame *f)
{
	if (!pu_packet_is_echo_request(&f->info))
		return PU_EINVAL;
	pu_packet_make_echo_reply(pu_tun_frame_ip(f), f->info.total_len, &f->info);
	return pu_tun_write_packet(dev, pu_tun_frame_ip(f), f->info.total_len);
}

int pu_tun_answer_refuse(struct pu_tun_device *dev, const struct pu_tun_frame *f)
{
	uint8_t out[60];
	int n = pu_packet_tcp_refuse(out, pu_tun_frame_ip(f), &f->info);

	return n < 0 ? n : pu_tun_write_packet(dev, out, (size_t)n);
}
