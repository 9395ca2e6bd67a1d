#include "support/test_ca.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 24 * 3600 };

void test_ca_must(int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "test_ca: %s\n", gnutls_strerror(r));
	abort();
}

static gnutls_x509_privkey_t make_key(void)
{
	gnutls_x509_privkey_t key;

	test_ca_must(gnutls_x509_privkey_init(&key));
	test_ca_must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static gnutls_x509_crt_t begin_crt(const char *name, gnutls_x509_privkey_t key, bool expired)
{
	const time_t now = time(NULL);
	gnutls_x509_crt_t crt;
	uint8_t serial = 1;

	test_ca_must(gnutls_x509_crt_init(&crt));
	test_ca_must(gnutls_x509_crt_set_version(crt, 3));
	test_ca_must(gnutls_x509_crt_set_serial(crt, &serial, 1));
	test_ca_must(gnutls_x509_crt_set_key(crt, key));
	test_ca_must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					   (unsigned)strlen(name)));
	test_ca_must(gnutls_x509_crt_set_activation_time(crt, now - 10 * DAY));
	test_ca_must(gnutls_x509_crt_set_expiration_time(crt, expired ? now - DAY : now + 10 * DAY));
	return crt;
}

static void set_ip(gnutls_x509_crt_t crt, const char *ip)
{
	uint8_t b[16];
	unsigned len = inet_pton(AF_INET, ip, b) == 1 ? 4 : 16;

	if (len == 16 && inet_pton(AF_INET6, ip, b) != 1)
		abort();
	test_ca_must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, b, len,
						  GNUTLS_FSAN_APPEND));
}

void test_ca_init(struct test_ca *s, const struct test_ca_options *c)
{
	s->ca_key = make_key();
	s->ca = begin_crt("test authority", s->ca_key, false);
	test_ca_must(gnutls_x509_crt_set_basic_constraints(s->ca, 1, 0));
	test_ca_must(gnutls_x509_crt_set_key_usage(s->ca, GNUTLS_KEY_KEY_CERT_SIGN));
	test_ca_must(gnutls_x509_crt_sign2(s->ca, s->ca, s->ca_key, GNUTLS_DIG_SHA256, 0));
	s->key = make_key();
	s->crt = begin_crt("test server", s->key, c->expired);
	if (c->dns)
		test_ca_must(gnutls_x509_crt_set_subject_alt_name(s->crt, GNUTLS_SAN_DNSNAME, c->dns,
							  (unsigned)strlen(c->dns),
							  GNUTLS_FSAN_APPEND));
	if (c->ip)
		set_ip(s->crt, c->ip);
	test_ca_must(gnutls_x509_crt_set_key_usage(s->crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	test_ca_must(gnutls_x509_crt_set_key_purpose_oid(s->crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	test_ca_must(gnutls_x509_crt_sign2(s->crt, s->ca, s->ca_key, GNUTLS_DIG_SHA256, 0));
	test_ca_must(gnutls_certificate_allocate_credentials(&s->cred));
	test_ca_must(gnutls_certificate_set_x509_key(s->cred, &s->crt, 1, s->key));
}

void test_ca_write(const struct test_ca *s, char path[64])
{
	gnutls_datum_t pem;
	ssize_t n;
	int fd;

	snprintf(path, 64, "/tmp/peerup-authority-XXXXXX");
	fd = mkstemp(path);
	test_ca_must(gnutls_x509_crt_export2(s->ca, GNUTLS_X509_FMT_PEM, &pem));
	n = fd < 0 ? -1 : write(fd, pem.data, pem.size);
	if (n != (ssize_t)pem.size)
		abort();
	close(fd);
	gnutls_free(pem.data);
}

void test_ca_deinit(struct test_ca *s)
{
	gnutls_certificate_free_credentials(s->cred);
	gnutls_x509_crt_deinit(s->crt);
	gnutls_x509_crt_deinit(s->ca);
	gnutls_x509_privkey_deinit(s->key);
	gnutls_x509_privkey_deinit(s->ca_key);
}
