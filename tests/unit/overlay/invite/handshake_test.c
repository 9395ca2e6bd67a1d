#include "overlay/invite/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "support/handshake_pair.h"
#include "support/vectors.h"

static const enum pu_code_version versions[] = { PU_CODE_INVITE_V1, PU_CODE_INVITE_V3 };

/* Messages of a complete conversation. */
static size_t n_messages(enum pu_code_version v)
{
	return v == PU_CODE_INVITE_V1 ? 4 : 6;
}

/* A pair is too large for the stack of a test. */
static struct pu_handshake_pair *pair_of(enum pu_code_version v)
{
	struct pu_handshake_pair *p = malloc(sizeof *p);

	assert_non_null(p);
	pu_handshake_pair_init(p, v);
	return p;
}

static void drop(struct pu_handshake_pair *p)
{
	pu_handshake_pair_deinit(p);
	free(p);
}

static void assert_paired(const struct pu_handshake_pair *p)
{
	const struct pu_handshake_side *i = &p->inviter, *j = &p->joiner;

	assert_int_equal(i->guesses, 1);
	assert_int_equal(i->proven, 1);
	assert_int_equal(i->done, 1);
	assert_int_equal(i->failed, 0);
	assert_int_equal(j->guesses, 0);
	assert_int_equal(j->proven, 1);
	assert_int_equal(j->done, 1);
	assert_int_equal(j->failed, 0);
	assert_string_equal(i->them.name, j->us.name);
	assert_string_equal(j->them.name, i->us.name);
}

static void assert_denied(const struct pu_handshake_pair *p)
{
	assert_int_equal(p->inviter.proven + p->joiner.proven, 0);
	assert_int_equal(p->inviter.done + p->joiner.done, 0);
	assert_int_equal(p->inviter.guesses, 1);
	assert_int_equal(p->inviter.failed, 1);
	assert_int_equal(p->inviter.err, PU_EDENIED);
	assert_int_equal(p->joiner.failed, 1);
	assert_int_equal(p->joiner.err, PU_EDENIED);
}

static void add(struct pu_multiaddr *list, size_t *pn, const char *text)
{
	assert_int_equal(pu_multiaddr_from_text(&list[(*pn)++], text), 0);
}

static void the_right_code_pairs_both(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *p = pair_of(versions[v]);

		pu_handshake_pair_run(p);
		assert_paired(p);
		assert_int_equal(p->n_log, n_messages(versions[v]));
		drop(p);
	}
}

static void names_may_be_empty_or_255_bytes_long(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *p = pair_of(versions[v]);

		memset(p->inviter.us.name, 'x', PU_HANDSHAKE_NAME_MAX);
		p->joiner.us.name[0] = '\0';
		pu_handshake_pair_run(p);
		assert_paired(p);
		drop(p);
	}
}

static void any_chunks_do(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++)
		for (size_t chunk = 1; chunk < 80; chunk++) {
			struct pu_handshake_pair *p = pair_of(versions[v]);

			p->chunk = chunk;
			pu_handshake_pair_run(p);
			assert_paired(p);
			drop(p);
		}
}

static void all_of_an_introduction_arrives(void **state)
{
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);
	struct pu_introduction *us = &p->inviter.us, *got = &p->joiner.them;

	strcpy(us->network, "family-net");
	add(us->relay, &us->n_relays,
	    "/ip4/203.0.113.50/tcp/7777/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5");
	add(us->addr, &us->n_addrs, "/ip4/192.0.2.1/tcp/4001");
	add(us->addr, &us->n_addrs, "/ip6/2001:db8::1/udp/4001/quic-v1");
	pu_handshake_pair_run(p);
	assert_paired(p);
	assert_int_equal(got->access, PU_ACCESS_NETWORK);
	assert_int_equal(p->inviter.them.access, PU_ACCESS_SERVICES);
	assert_string_equal(got->network, "family-net");
	assert_int_equal(got->n_relays, 1);
	assert_true(pu_multiaddr_eq(&got->relay[0], &us->relay[0]));
	assert_int_equal(got->n_addrs, 2);
	assert_true(pu_multiaddr_eq(&got->addr[0], &us->addr[0]));
	assert_true(pu_multiaddr_eq(&got->addr[1], &us->addr[1]));
	drop(p);
}

/* Addresses are a help only; names and rights are not. */
static void addresses_that_do_not_fit_are_left_out(void **state)
{
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);
	struct pu_introduction *us = &p->inviter.us;
	char text[PU_MULTIADDR_TEXT_MAX];

	for (int i = 0; i < PU_HANDSHAKE_RELAYS_MAX; i++) {
		snprintf(text, sizeof text, "/dns/%060d.%060d.%060d/tcp/%d/p2p/%s", i, 1, 1, 7777,
			 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5");
		add(us->relay, &us->n_relays, text);
	}
	for (int i = 0; i < PU_HANDSHAKE_ADDRS_MAX; i++) {
		snprintf(text, sizeof text, "/dns/%060d.%060d.%060d.%040d/tcp/7777", i, 1, 1, 1);
		add(us->addr, &us->n_addrs, text);
	}
	pu_handshake_pair_run(p);
	assert_paired(p);
	assert_int_equal(p->joiner.them.n_relays, PU_HANDSHAKE_RELAYS_MAX);
	assert_in_range(p->joiner.them.n_addrs, 1, PU_HANDSHAKE_ADDRS_MAX - 1);
	drop(p);
}

static void a_wrong_code_is_denied_after_one_guess(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *p = pair_of(versions[v]);

		p->joiner.code.token[7]++;
		strcpy(p->joiner.code.password, "otter-canyon-mango");
		pu_handshake_pair_run(p);
		assert_denied(p);
		drop(p);
	}
}

/* All that the holder of a wrong password ever gets is a share, which every password could
 * have made; and there is no second try on the same stream. */
static void a_wrong_guess_is_answered_by_nothing(void **state)
{
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);

	strcpy(p->joiner.code.password, "otter-canyon-mango");
	pu_handshake_pair_start(p);
	pu_handshake_pair_deliver(p);
	assert_int_equal(p->inviter.sent, 2 + 32);
	assert_int_equal(p->inviter.err, PU_EDENIED);
	for (size_t i = 0; i < p->n_log; i++)
		pu_handshake_recv(p->inviter.h, p->log[i].b, p->log[i].len);
	assert_int_equal(p->inviter.sent, 2 + 32);
	assert_int_equal(p->inviter.guesses, 1);
	assert_int_equal(p->inviter.failed, 1);
	drop(p);
}

/* The same plaintexts on both sides: one key for two of them would show. */
static void no_two_messages_are_sealed_with_one_key(void **state)
{
	enum { PREFIX = 2, PROOF = 32, LAST_LEN = 2 };
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);

	p->inviter.us = p->joiner.us;
	pu_handshake_pair_run(p);
	assert_paired(p);
	assert_int_equal(p->log[2].len, p->log[3].len);
	assert_memory_not_equal(p->log[2].b + PREFIX, p->log[3].b + PREFIX, PROOF);
	assert_memory_not_equal(p->log[2].b + PREFIX + PROOF, p->log[3].b + PREFIX + PROOF, 8);
	assert_int_equal(p->log[4].len, p->log[5].len);
	assert_memory_not_equal(p->log[4].b + PREFIX, p->log[5].b + PREFIX, LAST_LEN);
	drop(p);
}

static void shares_have_32_bytes(void **state)
{
	static const uint8_t lens[] = { 0, 31, 33, 64 };

	for (size_t i = 0; i < PU_ARRAY_LEN(lens); i++) {
		struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);
		uint8_t msg[2 + 64] = { 0 };

		pu_handshake_pair_start(p);
		memcpy(msg, p->log[0].b, p->log[0].len);
		msg[1] = lens[i];
		pu_handshake_recv(p->inviter.h, msg, 2u + lens[i]);
		assert_int_equal(p->inviter.failed, 1);
		assert_int_equal(p->inviter.err, PU_EPROTO);
		assert_int_equal(p->inviter.guesses, 0);
		drop(p);
	}
}

/* The wire format does not change unnoticed. */
static void the_conversation_of_version_3_stays_as_it_is(void **state)
{
	struct pu_vectors *v = pu_vectors_load("invite_v3.txt");
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);

	p->inviter.random = pu_vectors_hex(v, "inviter.random").p;
	p->joiner.random = pu_vectors_hex(v, "joiner.random").p;
	strcpy(p->inviter.us.network, pu_vectors_text(v, "network"));
	add(p->inviter.us.relay, &p->inviter.us.n_relays, pu_vectors_text(v, "relay"));
	add(p->joiner.us.addr, &p->joiner.us.n_addrs, pu_vectors_text(v, "joiner.address"));
	pu_handshake_pair_run(p);
	assert_paired(p);
	for (size_t i = 0; i < p->n_log; i++) {
		char name[16];
		struct pu_bytes want;

		snprintf(name, sizeof name, "message%zu", i + 1);
		want = pu_vectors_hex(v, name);
		assert_int_equal(p->log[i].len, want.len);
		assert_memory_equal(p->log[i].b, want.p, want.len);
	}
	pu_vectors_free(v);
	drop(p);
}

static void another_number_is_denied(void **state)
{
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);

	p->joiner.code.number = 8;
	pu_handshake_pair_run(p);
	assert_denied(p);
	drop(p);
}

/* Somebody in the middle has connections of its own to both, and hands on what they say. */
static void somebody_in_the_middle_is_denied(void **state)
{
	for (int who = 0; who < 3; who++) {
		struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);
		struct pu_peerid middle = p->inviter.self;

		middle.b[10] ^= 1;
		if (who != 1)
			p->joiner.peer = middle;
		if (who != 0)
			p->inviter.peer = middle;
		pu_handshake_pair_run(p);
		assert_denied(p);
		drop(p);
	}
}

static void swapped_roles_are_denied(void **state)
{
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);
	struct pu_peerid id = p->joiner.self;

	p->joiner.self = p->joiner.peer;
	p->joiner.peer = id;
	pu_handshake_pair_run(p);
	assert_denied(p);
	drop(p);
}

static void no_more_guesses_means_no_answer(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *p = pair_of(versions[v]);

		p->inviter.no_guess = true;
		pu_handshake_pair_run(p);
		assert_denied(p);
		assert_int_equal(p->inviter.sent, 0);
		drop(p);
	}
}

static void an_old_conversation_played_again_is_denied(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *old = pair_of(versions[v]), *p = pair_of(versions[v]);

		pu_handshake_pair_run(old);
		assert_paired(old);
		p->seed = 1;
		pu_handshake_pair_start(p);
		for (size_t i = 0; i < old->n_log; i++)
			if (!old->log[i].from_inviter)
				pu_handshake_recv(p->inviter.h, old->log[i].b, old->log[i].len);
			else
				pu_handshake_recv(p->joiner.h, old->log[i].b, old->log[i].len);
		assert_denied(p);
		drop(old);
		drop(p);
	}
}

/* One message of a conversation is changed. */
struct harm {
	size_t message, at;
	uint8_t bits;   /* flipped */
	bool cut;       /* the message ends at that byte, and with it the stream */
	size_t len;     /* out: of the message */
	bool to_inviter;
};

static bool do_harm(void *arg, size_t i, struct pu_handshake_message *m)
{
	struct harm *h = arg;

	if (i != h->message)
		return true;
	h->len = m->len;
	h->to_inviter = !m->from_inviter;
	if (h->at >= m->len)
		return true;
	if (h->cut) {
		m->len = h->at;
		m->eof = true;
	} else {
		m->b[h->at] ^= h->bits;
	}
	return true;
}

/* Whoever heard the changed message must not be done; nor may anybody have been told more than
 * once how it ended. The length of the message is returned. */
static size_t run_harmed(enum pu_code_version v, struct harm *h)
{
	struct pu_handshake_pair *p = pair_of(v);
	struct pu_handshake_side *victim;

	p->tap = do_harm;
	p->arg = h;
	pu_handshake_pair_run(p);
	victim = h->to_inviter ? &p->inviter : &p->joiner;
	if (h->at < h->len) {
		assert_int_equal(victim->done, 0);
		assert_int_equal(victim->failed, 1);
		/* Only what follows the proof can be lost after it. */
		if (h->message < 3 || (v == PU_CODE_INVITE_V3 && h->message == 3))
			assert_int_equal(victim->proven, 0);
	}
	assert_int_equal(p->inviter.done + p->inviter.failed, 1);
	assert_int_equal(p->joiner.done + p->joiner.failed, 1);
	drop(p);
	return h->len;
}

static void every_cut_is_noticed(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++)
		for (size_t i = 0; i < n_messages(versions[v]); i++) {
			struct harm h = { .message = i, .cut = true };

			do
				run_harmed(versions[v], &h);
			while (++h.at < h.len);
		}
}

static void every_altered_byte_is_noticed(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++)
		for (size_t i = 0; i < n_messages(versions[v]); i++) {
			struct harm h = { .message = i, .bits = 0x01 };

			do
				run_harmed(versions[v], &h);
			while (++h.at < h.len);
		}
}

/* Not so in version 1, whose public keys have a bit that X25519 ignores. */
static void every_altered_bit_is_noticed_in_version_3(void **state)
{
	for (int bit = 1; bit < 8; bit++)
		for (size_t i = 0; i < n_messages(PU_CODE_INVITE_V3); i++) {
			struct harm h = { .message = i, .bits = (uint8_t)(1 << bit) };

			do
				run_harmed(PU_CODE_INVITE_V3, &h);
			while (++h.at < h.len);
		}
}

static void what_comes_out_of_turn_fails(void **state)
{
	static const uint8_t junk[1] = { 1 };

	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *p = pair_of(versions[v]);

		p->inviter.hold = true;
		pu_handshake_pair_start(p);
		pu_handshake_pair_deliver(p);
		assert_int_equal(p->inviter.proven, 1);
		pu_handshake_recv(p->inviter.h, junk, sizeof junk);
		assert_int_equal(p->inviter.failed, 1);
		assert_int_equal(p->inviter.err, PU_EPROTO);
		pu_handshake_accept(p->inviter.h);
		assert_int_equal(p->inviter.done, 0);
		drop(p);
	}
}

static void an_owner_may_take_its_time(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *p = pair_of(versions[v]);

		p->inviter.hold = p->joiner.hold = true;
		pu_handshake_pair_start(p);
		pu_handshake_pair_deliver(p);
		assert_int_equal(p->joiner.proven, 0);
		pu_handshake_accept(p->inviter.h);
		pu_handshake_pair_deliver(p);
		assert_int_equal(p->joiner.proven, 1);
		pu_handshake_accept(p->joiner.h);
		pu_handshake_pair_deliver(p);
		assert_paired(p);
		drop(p);
	}
}

static void a_refusal_of_the_inviter_is_told(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++) {
		struct pu_handshake_pair *p = pair_of(versions[v]);

		p->inviter.refuse = "the disk\nis full\xc2\x9b" "2J\xff";
		pu_handshake_pair_run(p);
		assert_int_equal(p->inviter.failed + p->inviter.done, 0);
		assert_int_equal(p->joiner.proven, 0);
		assert_int_equal(p->joiner.failed, 1);
		assert_int_equal(p->joiner.err, PU_EREFUSED);
		assert_string_equal(p->joiner.text, "the disk?is full??2J?");
		drop(p);
	}
}

static void a_refusal_of_the_joiner_is_told(void **state)
{
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);

	p->joiner.refuse = "the disk is full";
	pu_handshake_pair_run(p);
	assert_int_equal(p->joiner.failed + p->joiner.done, 0);
	assert_int_equal(p->inviter.failed, 1);
	assert_int_equal(p->inviter.err, PU_EREFUSED);
	assert_string_equal(p->inviter.text, "the disk is full");
	drop(p);
}

static bool lose(void *arg, size_t i, struct pu_handshake_message *m)
{
	return i != *(size_t *)arg;
}

/* The inviter is never done before it knows that the joiner has stored it. */
static void a_lost_message_leaves_nobody_done_too_early(void **state)
{
	for (size_t i = 0; i < n_messages(PU_CODE_INVITE_V3); i++) {
		struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);

		p->tap = lose;
		p->arg = &i;
		pu_handshake_pair_run(p);
		assert_int_equal(p->joiner.done, 0);
		assert_int_equal(p->joiner.failed, 1);
		assert_int_equal(p->inviter.done, i == 5);
		assert_int_equal(p->inviter.proven, i >= 3);
		assert_int_equal(p->joiner.proven, i >= 4);
		if (i >= 4)
			assert_int_equal(p->joiner.err, PU_EEOF);
		else
			assert_int_equal(p->joiner.err, PU_EDENIED);
		drop(p);
	}
}

static void the_end_may_come_while_the_owner_decides(void **state)
{
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);

	p->inviter.hold = true;
	pu_handshake_pair_start(p);
	pu_handshake_pair_deliver(p);
	pu_handshake_eof(p->inviter.h);
	assert_int_equal(p->inviter.failed, 0);
	pu_handshake_accept(p->inviter.h);
	assert_int_equal(p->inviter.failed, 1);
	assert_int_equal(p->inviter.err, PU_EEOF);
	drop(p);
}

/* Under the address sanitizer this shows what is used after it went. */
static void an_owner_may_free_it_in_any_event(void **state)
{
	for (size_t v = 0; v < PU_ARRAY_LEN(versions); v++)
		for (int e = PU_ON_SEND; e <= PU_ON_FAILED; e++)
			for (int who = 0; who < 4; who++) {
				struct pu_handshake_pair *p = pair_of(versions[v]);

				if (who & 1)
					p->inviter.free_on = (enum pu_handshake_event)e;
				else
					p->joiner.free_on = (enum pu_handshake_event)e;
				if (who & 2)
					strcpy(p->joiner.code.password, "otter-canyon-mango");
				pu_handshake_pair_run(p);
				assert_in_range(p->inviter.done + p->inviter.failed, 0, 1);
				assert_in_range(p->joiner.done + p->joiner.failed, 0, 1);
				drop(p);
			}
}

static void a_version_or_code_that_does_not_fit_is_refused(void **state)
{
	static const struct pu_introduction us;
	struct pu_handshake_pair *p = pair_of(PU_CODE_INVITE_V3);
	struct pu_handshake_options opt = {
		.version = PU_CODE_PAIR_V2, .code = &p->joiner.code, .us = &us,
		.self = p->joiner.self, .peer = p->joiner.peer,
	};
	struct pu_handshake *h = NULL;

	assert_int_equal(pu_handshake_new(&opt, &h), PU_EINVAL);
	opt.version = PU_CODE_INVITE_V1;
	assert_int_equal(pu_handshake_new(&opt, &h), PU_EINVAL);
	assert_null(h);
	pu_handshake_free(h);
	drop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_code_pairs_both),
		cmocka_unit_test(names_may_be_empty_or_255_bytes_long),
		cmocka_unit_test(any_chunks_do),
		cmocka_unit_test(all_of_an_introduction_arrives),
		cmocka_unit_test(addresses_that_do_not_fit_are_left_out),
		cmocka_unit_test(a_wrong_code_is_denied_after_one_guess),
		cmocka_unit_test(a_wrong_guess_is_answered_by_nothing),
		cmocka_unit_test(no_two_messages_are_sealed_with_one_key),
		cmocka_unit_test(shares_have_32_bytes),
		cmocka_unit_test(the_conversation_of_version_3_stays_as_it_is),
		cmocka_unit_test(another_number_is_denied),
		cmocka_unit_test(somebody_in_the_middle_is_denied),
		cmocka_unit_test(swapped_roles_are_denied),
		cmocka_unit_test(no_more_guesses_means_no_answer),
		cmocka_unit_test(an_old_conversation_played_again_is_denied),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(every_altered_byte_is_noticed),
		cmocka_unit_test(every_altered_bit_is_noticed_in_version_3),
		cmocka_unit_test(what_comes_out_of_turn_fails),
		cmocka_unit_test(an_owner_may_take_its_time),
		cmocka_unit_test(a_refusal_of_the_inviter_is_told),
		cmocka_unit_test(a_refusal_of_the_joiner_is_told),
		cmocka_unit_test(a_lost_message_leaves_nobody_done_too_early),
		cmocka_unit_test(the_end_may_come_while_the_owner_decides),
		cmocka_unit_test(an_owner_may_free_it_in_any_event),
		cmocka_unit_test(a_version_or_code_that_does_not_fit_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
