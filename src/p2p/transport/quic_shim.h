/* Every difference between ngtcp2 0.12 (Debian 12) and 1.x that this project meets,
 * so that no other file asks for a version. Names are those of 1.x where possible. */
#ifndef PU_P2P_TRANSPORT_QUIC_SHIM_H
#define PU_P2P_TRANSPORT_QUIC_SHIM_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include "base/bytes.h"

#if NGTCP2_VERSION_NUM >= 0x010000

#define PU_NG_CC_BBR2 NGTCP2_CC_ALGO_BBR
/* How a datagram longer than any packet is answered is known of 0.12 only. */
#define PU_NG_OVERLONG_DATAGRAM 0
/* One more parameter of the callback path_validation. */
#define PU_NG_OLD_PATH const ngtcp2_path *old_path,

typedef ngtcp2_ccerr pu_ng_close;
typedef ngtcp2_encryption_level pu_ng_level;

static inline void pu_ng_close_app(pu_ng_close *e, uint64_t code, const char *reason)
{
	ngtcp2_ccerr_set_application_error(e, code, (const uint8_t *)reason, strlen(reason));
}

static inline void pu_ng_close_transport(pu_ng_close *e, uint64_t code)
{
	ngtcp2_ccerr_set_transport_error(e, code, NULL, 0);
}

static inline void pu_ng_close_liberr(pu_ng_close *e, int liberr)
{
	ngtcp2_ccerr_set_liberr(e, liberr, NULL, 0);
}

static inline void pu_ng_close_alert(pu_ng_close *e, uint8_t alert)
{
	ngtcp2_ccerr_set_tls_alert(e, alert, NULL, 0);
}

static inline void pu_ng_remote_close(ngtcp2_conn *c, bool *app, uint64_t *code)
{
	const ngtcp2_ccerr *e = ngtcp2_conn_get_ccerr(c);

	*app = e->type == NGTCP2_CCERR_TYPE_APPLICATION;
	*code = e->error_code;
}

static inline uint64_t pu_ng_srtt(ngtcp2_conn *c)
{
	ngtcp2_conn_info i;

	ngtcp2_conn_get_conn_info(c, &i);
	return i.latest_rtt ? i.smoothed_rtt : 0;
}

static inline uint64_t pu_ng_in_flight(ngtcp2_conn *c)
{
	ngtcp2_conn_info i;

	ngtcp2_conn_get_conn_info(c, &i);
	return i.bytes_in_flight;
}

static inline uint64_t pu_ng_cwnd(ngtcp2_conn *c)
{
	ngtcp2_conn_info i;

	ngtcp2_conn_get_conn_info(c, &i);
	return i.cwnd;
}

/* Bytes per nanosecond at which the controller wants packets sent; 0: not told. */
static inline double pu_ng_pacing_rate(ngtcp2_conn *c)
{
	(void)c;
	return 0;
}

static inline void pu_ng_settings_token(ngtcp2_settings *s, const uint8_t *p, size_t len)
{
	s->token = p;
	s->tokenlen = len;
}

static inline struct pu_bytes pu_ng_hd_token(const ngtcp2_pkt_hd *hd)
{
	return pu_bytes(hd->token, hd->tokenlen);
}

static inline void pu_ng_params_odcid(ngtcp2_transport_params *p, const ngtcp2_cid *odcid)
{
	p->original_dcid = *odcid;
	p->original_dcid_present = 1;
}

static inline int pu_ng_shutdown_stream(ngtcp2_conn *c, int64_t id, uint64_t code)
{
	return ngtcp2_conn_shutdown_stream(c, 0, id, code);
}

static inline int pu_ng_shutdown_stream_read(ngtcp2_conn *c, int64_t id, uint64_t code)
{
	return ngtcp2_conn_shutdown_stream_read(c, 0, id, code);
}

#else

#define PU_NG_CC_BBR2 NGTCP2_CC_ALGO_BBR2
#define PU_NG_OVERLONG_DATAGRAM 1
#define PU_NG_OLD_PATH

typedef ngtcp2_connection_close_error pu_ng_close;
typedef ngtcp2_crypto_level pu_ng_level;

static inline void pu_ng_close_app(pu_ng_close *e, uint64_t code, const char *reason)
{
	ngtcp2_connection_close_error_set_application_error(e, code, (const uint8_t *)reason,
							    strlen(reason));
}

static inline void pu_ng_close_transport(pu_ng_close *e, uint64_t code)
{
	ngtcp2_connection_close_error_set_transport_error(e, code, NULL, 0);
}

static inline void pu_ng_close_liberr(pu_ng_close *e, int liberr)
{
	ngtcp2_connection_close_error_set_transport_error_liberr(e, liberr, NULL, 0);
}

static inline void pu_ng_close_alert(pu_ng_close *e, uint8_t alert)
{
	ngtcp2_connection_close_error_set_transport_error_tls_alert(e, alert, NULL, 0);
}

static inline void pu_ng_remote_close(ngtcp2_conn *c, bool *app, uint64_t *code)
{
	ngtcp2_connection_close_error e;

	ngtcp2_conn_get_connection_close_error(c, &e);
	*app = e.type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION;
	*code = e.error_code;
}

static inline uint64_t pu_ng_srtt(ngtcp2_conn *c)
{
	ngtcp2_conn_stat s;

	ngtcp2_conn_get_conn_stat(c, &s);
	return s.latest_rtt ? s.smoothed_rtt : 0;
}

static inline uint64_t pu_ng_in_flight(ngtcp2_conn *c)
{
	ngtcp2_conn_stat s;

	ngtcp2_conn_get_conn_stat(c, &s);
	return s.bytes_in_flight;
}

static inline uint64_t pu_ng_cwnd(ngtcp2_conn *c)
{
	ngtcp2_conn_stat s;

	ngtcp2_conn_get_conn_stat(c, &s);
	return s.cwnd;
}

static inline double pu_ng_pacing_rate(ngtcp2_conn *c)
{
	ngtcp2_conn_stat s;

	ngtcp2_conn_get_conn_stat(c, &s);
	if (s.pacing_rate > 0)
		return s.pacing_rate;
	return s.smoothed_rtt ? 1.25 * (double)s.cwnd / (double)s.smoothed_rtt : 0;
}

static inline void pu_ng_settings_token(ngtcp2_settings *s, const uint8_t *p, size_t len)
{
	s->token.base = (uint8_t *)p;
	s->token.len = len;
}

static inline struct pu_bytes pu_ng_hd_token(const ngtcp2_pkt_hd *hd)
{
	return pu_bytes(hd->token.base, hd->token.len);
}

static inline void pu_ng_params_odcid(ngtcp2_transport_params *p, const ngtcp2_cid *odcid)
{
	p->original_dcid = *odcid;
}

static inline int pu_ng_shutdown_stream(ngtcp2_conn *c, int64_t id, uint64_t code)
{
	return ngtcp2_conn_shutdown_stream(c, id, code);
}

static inline int pu_ng_shutdown_stream_read(ngtcp2_conn *c, int64_t id, uint64_t code)
{
	return ngtcp2_conn_shutdown_stream_read(c, id, code);
}

#endif

#endif
