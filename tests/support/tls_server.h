/* What stands in front of a WebSocket server in the real world: ends TLS on one address and
 * passes the bytes on to another. Its certificates come from an authority made on the spot. */
#ifndef PU_TESTS_SUPPORT_TLS_SERVER_H
#define PU_TESTS_SUPPORT_TLS_SERVER_H

#include "base/loop.h"
#include "p2p/transport/net.h"
#include "support/test_ca.h"

struct tls_server;

struct tls_server_config {
	struct pu_loop *loop;
	struct pu_net *net;
	union pu_sockaddr listen, backend;
	struct test_ca_options cert;
	bool tls12; /* the server speaks nothing younger */
};

struct tls_server *tls_server_new(const struct tls_server_config *cfg);
void tls_server_free(struct tls_server *s);
void tls_server_local(const struct tls_server *s, union pu_sockaddr *sa);
const struct test_ca *tls_server_authority(const struct tls_server *s);
/* Of the last client: the server name that it sent ("" for none), and its protocol. */
const char *tls_server_name_asked(const struct tls_server *s);
const char *tls_server_alpn(const struct tls_server *s);

#endif
