/* A certificate authority and one server certificate, made on the spot. */
#ifndef PU_TESTS_SUPPORT_TEST_CA_H
#define PU_TESTS_SUPPORT_TEST_CA_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>

struct test_ca_options {
	const char *dns; /* name in the certificate, or NULL */
	const char *ip;  /* address in it, or NULL */
	bool expired;    /* since yesterday */
};

struct test_ca {
	gnutls_x509_privkey_t key, ca_key;
	gnutls_x509_crt_t crt, ca;
	gnutls_certificate_credentials_t cred; /* of the server */
};

void test_ca_init(struct test_ca *s, const struct test_ca_options *c);
void test_ca_deinit(struct test_ca *s);
/* Writes the authority's certificate into a new file below /tmp; the caller removes it. */
void test_ca_write(const struct test_ca *s, char path[64]);
/* Ends the program when GnuTLS failed. */
void test_ca_must(int r);

#endif
