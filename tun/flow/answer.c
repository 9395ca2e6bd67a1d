/* Packets that answer a SYN without lwIP. */
#include "tun/flow/flow_internal.h"

#include "base/err.h"
#include "tun/reader.h"

void pu_flow_answer_reset(struct pu_tun_device *dev, const uint8_t *ip,
			  const struct pu_packet *info)
{
	uint8_t out[60];
	int n = pu_packet_tcp_refuse(out, ip, info);

	if (n > 0)
		pu_tun_write_packet(dev, out, (size_t)n);
}

static bool answer_icmp(struct pu_tun_device *dev, const uint8_t *ip,
			const struct pu_packet *info, enum pu_icmp_error what)
{
	uint8_t out[PU_ICMP_ERROR_MAX];
	int n = pu_packet_icmp_error(out, ip, info->total_len, info, what, 0, &info->dst);

	return n > 0 && pu_tun_write_packet(dev, out, (size_t)n) == 0;
}

void pu_flow_answer_refuse(struct pu_tun_device *dev, const uint8_t *syn,
			   const struct pu_packet *info, int err)
{
	bool told = err == PU_EAGAIN;

	if (err == PU_EUNREACH || err == PU_ETIMEDOUT)
		told = answer_icmp(dev, syn, info, PU_ICMP_HOST_UNREACHABLE);
	else if (err == PU_EDENIED)
		told = answer_icmp(dev, syn, info, PU_ICMP_NOT_ALLOWED);
	if (!told)
		pu_flow_answer_reset(dev, syn, info);
}
