#include "overlay/invite/nameplate_numbers.h"

#include "base/err.h"
#include "overlay/invite/code.h"

void pu_nameplate_numbers_init(struct pu_nameplate_numbers *t, struct pu_loop *loop)
{
	memset(t, 0, sizeof *t);
	t->loop = loop;
}

struct pu_nameplate_number *pu_nameplate_numbers_find(struct pu_nameplate_numbers *t,
						      unsigned number)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(t->live) && number; i++)
		if (t->live[i].number == number)
			return &t->live[i];
	return NULL;
}

unsigned pu_nameplate_numbers_of(const struct pu_nameplate_numbers *t,
				 const struct pu_peerid *owner)
{
	unsigned n = 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(t->live); i++)
		n += t->live[i].number && pu_peerid_eq(&t->live[i].owner, owner);
	return n;
}

struct pu_nameplate_number *pu_nameplate_numbers_first(struct pu_nameplate_numbers *t)
{
	struct pu_nameplate_number *first = NULL;

	for (size_t i = 0; i < PU_ARRAY_LEN(t->live); i++)
		if (t->live[i].number && (!first || t->live[i].until < first->until))
			first = &t->live[i];
	return first;
}

static bool rests(const struct pu_nameplate_numbers *t, unsigned number,
		  const struct pu_peerid *owner)
{
	pu_time now = pu_loop_now(t->loop);

	for (size_t i = 0; i < PU_ARRAY_LEN(t->resting); i++) {
		const struct pu_nameplate_resting *r = &t->resting[i];

		if (r->number == number && r->until > now)
			return !pu_peerid_eq(&r->owner, owner);
	}
	return false;
}

static unsigned draw(struct pu_nameplate_numbers *t)
{
	static const struct pu_peerid nobody;
	unsigned choice[PU_NAMEPLATE_CHOICE], n = 0;
	uint32_t random;

	for (unsigned i = 1; i <= PU_CODE_NUMBER_MAX && n < PU_NAMEPLATE_CHOICE; i++)
		if (!pu_nameplate_numbers_find(t, i) && !rests(t, i, &nobody))
			choice[n++] = i;
	/* There are far more numbers than can live and rest. */
	pu_loop_random(t->loop, &random, sizeof random);
	return choice[random % n];
}

int pu_nameplate_numbers_take(struct pu_nameplate_numbers *t, const struct pu_peerid *owner,
			      unsigned wanted, pu_time until, struct pu_nameplate_number **pp)
{
	struct pu_nameplate_number *p = NULL;

	if (t->n == PU_NAMEPLATE_MAX || pu_nameplate_numbers_of(t, owner) >= PU_NAMEPLATE_PER_PEER)
		return PU_ELIMIT;
	for (size_t i = 0; !p; i++)
		if (!t->live[i].number)
			p = &t->live[i];
	if (wanted == 0 || wanted > PU_CODE_NUMBER_MAX || pu_nameplate_numbers_find(t, wanted) ||
	    rests(t, wanted, owner))
		wanted = draw(t);
	*p = (struct pu_nameplate_number){ .number = wanted, .owner = *owner, .until = until };
	t->n++;
	*pp = p;
	return 0;
}

void pu_nameplate_numbers_release(struct pu_nameplate_numbers *t, struct pu_nameplate_number *p)
{
	struct pu_nameplate_resting *r = &t->resting[0];

	for (size_t i = 0; i < PU_ARRAY_LEN(t->resting) && r->number != p->number; i++)
		if (t->resting[i].number == p->number || t->resting[i].until < r->until)
			r = &t->resting[i];
	*r = (struct pu_nameplate_resting){ p->number, p->owner,
					    pu_loop_now(t->loop) + PU_SEC(PU_NAMEPLATE_REST_S) };
	memset(p, 0, sizeof *p);
	t->n--;
}
