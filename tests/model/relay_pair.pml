/* Pairing with a relay, version 2 (docs/protocols/pairing.md): a relay R with one group of two codes.
 * J and K race with the first code, which both were told; K has the second one too. M has none and
 * guesses. Connections are authenticated and private, streams may break at any point: a request or
 * an answer is then lost, and the joiner may ask again, which on the wire is a replay. For a joiner
 * a crash is no more than that: it has nothing to forget. R may crash between two steps and then
 * knows what is on its disk; its codes are in its memory only.
 *
 * A guess of M that the relay looks at is right after LIMIT wrong ones.
 *
 * Each NO_… removes one rule; then a property must break, which is what the tests look for. */

#define CODES 2
#define REQUESTS 4 /* streams to the relay in all */
#define LIMIT 2    /* wrong codes until the group closes itself */

/* Who; as an index. */
#define J 0
#define K 1
#define M 2
#define PEERS 3
#define NOBODY 3
#define WRONG CODES /* a code that is none */

/* --- the relay -------------------------------------------------------------------------- */
bool alive = true;      /* the group is in memory and not closed */
bool used[CODES];
byte taken_by[CODES] = NOBODY;
byte tries;             /* wrong codes so far */
bool member[PEERS];     /* on disk */
byte brought_in[CODES]; /* peers that a code made members, one bit each */

/* --- joiners ---------------------------------------------------------------------------- */
bool paired[PEERS];     /* on disk: the relay has taken us in */
bool denied[PEERS];     /* what the user was told last */
bool asked[PEERS];

/* --- streams ---------------------------------------------------------------------------- */
mtype = { unused, requested, taken, stored, answered_ok, answered_no, gone };
mtype stream[REQUESTS] = unused;
byte peer[REQUESTS], code[REQUESTS];
bool again[REQUESTS];   /* the code had been taken by the same peer before */
byte guessed;           /* wrong codes of M that were looked at */

inline check()
{
	/* (a) Nobody is a member who did not hold a code. */
	assert(!member[M]);
	/* (b) Who believes to be a member is one, and nobody is one who did not ask to be. */
	assert(!paired[J] || member[J]);
	assert(!paired[K] || member[K]);
	assert(!member[J] || asked[J]);
	assert(!member[K] || asked[K]);
	/* (c) A code makes one peer a member at most. */
	assert((brought_in[0] & (brought_in[0] - 1)) == 0);
	assert((brought_in[1] & (brought_in[1] - 1)) == 0);
#ifdef MUST_REACH_END
	/* Not a property: that this fails shows that the model can come to a good end. */
	assert(!(paired[J] && paired[K]));
#endif
}

#ifdef NO_GUESS_LIMIT
#define group_open alive
#else
#define group_open (alive && tries < LIMIT)
#endif

/* Only the hash of a code is compared; whether it is used is part of that. */
#ifdef NO_HASH_USED
#define code_free(i) true
#else
#define code_free(i) !used[code[i]]
#endif

#define same_peer(i) (used[code[i]] && taken_by[code[i]] == peer[i])
#ifdef NO_SAME_PEER_AGAIN
#define same_again(i) false
#else
#define same_again(i) same_peer(i)
#endif
/* The relay is through with one request of a peer before it looks at the next. */
#ifdef NO_ONE_AT_A_TIME
#define at_work(i) false
#else
#define at_work(i) (same_peer(i) && !(brought_in[code[i]] & (1 << peer[i])))
#endif

inline end_stream(i)
{
	stream[i] = gone;
	peer[i] = 0;
	code[i] = 0;
	again[i] = false
}

/* One stream: who opens it, what the relay makes of it, how it ends. */
proctype request(byte i)
{
end:	do
	:: atomic { stream[i] == unused && (i == 0 || stream[i - 1] != unused) ->
		if
		:: !paired[J] -> peer[i] = J; code[i] = 0
		:: !paired[K] -> peer[i] = K; code[i] = 0
		:: !paired[K] && denied[K] -> peer[i] = K; code[i] = 1
		:: peer[i] = M; code[i] = WRONG
		fi;
		asked[peer[i]] = true;
		denied[peer[i]] = false;
		stream[i] = requested }

	/* The relay looks the code up and takes it, in one step. */
	:: atomic { stream[i] == requested && code[i] == WRONG && group_open ->
		if
		:: guessed >= LIMIT && (!used[0] || !used[1]) ->
			code[i] = (used[0] -> 1 : 0);
			used[code[i]] = true;
			taken_by[code[i]] = M;
			stream[i] = taken
		:: else ->
			guessed = (guessed < LIMIT -> guessed + 1 : guessed);
			tries = (tries < LIMIT -> tries + 1 : tries);
			stream[i] = answered_no
		fi }
	:: atomic { stream[i] == requested && code[i] != WRONG && group_open && !at_work(i) ->
		if
		:: code_free(i) ->
#ifndef NO_TAKE_BEFORE_STORE
			used[code[i]] = true;
			taken_by[code[i]] = peer[i];
#endif
			stream[i] = taken
		:: same_again(i) -> again[i] = true; stream[i] = taken
		:: else ->
			/* (e) Whoever the code has made a member, and did not hear of it, can
			 * learn so by asking again. */
			assert(!(brought_in[code[i]] & (1 << peer[i])));
			stream[i] = answered_no
		fi }
	:: atomic { stream[i] == requested && !group_open -> stream[i] = answered_no }

#ifdef NO_STORE_BEFORE_ANSWER
	:: atomic { stream[i] == taken -> stream[i] = answered_ok }
#else
	/* The member is written down, and is on disk before it is told so. */
	:: atomic { stream[i] == taken ->
		brought_in[code[i]] = brought_in[code[i]] | (1 << peer[i]);
		member[peer[i]] = true;
		used[code[i]] = true;
		taken_by[code[i]] = peer[i];
		stream[i] = stored;
		check() }
	:: atomic { stream[i] == stored -> stream[i] = answered_ok }
#endif
	/* The disk refuses: the code may be used again, and not by its taker alone. */
	:: atomic { stream[i] == taken && !again[i] ->
#ifndef NO_RETURN
		used[code[i]] = false;
		taken_by[code[i]] = NOBODY;
#endif
		stream[i] = answered_no }
	:: atomic { stream[i] == taken && again[i] -> stream[i] = answered_no }

	/* The joiner hears the answer, and writes down what it heard. */
	:: atomic { stream[i] == answered_ok && peer[i] != M ->
		paired[peer[i]] = true;
		denied[peer[i]] = false;
		end_stream(i);
		check() }
	:: atomic { stream[i] == answered_no && peer[i] != M ->
		denied[peer[i]] = true;
		end_stream(i) }
	:: atomic { peer[i] == M && (stream[i] == answered_ok || stream[i] == answered_no) ->
		end_stream(i) }
	/* Or it is lost: the request before the relay saw it, or the answer. */
	:: atomic { stream[i] == requested || stream[i] == answered_ok ||
		    stream[i] == answered_no -> end_stream(i) }
	od
}

active proctype crash()
{
	byte i;

end:	if
	:: atomic { alive = false;
		for (i : 0 .. REQUESTS - 1) {
			if
			:: stream[i] != unused -> end_stream(i)
			:: else
			fi
		}
		i = 0 }
	:: true
	fi
}

/* (d) No code is lost: when nothing is under way any more, a used one has made somebody a member. */
active proctype the_end()
{
	byte i;

end:	timeout;
	for (i : 0 .. CODES - 1) {
		assert(!alive || !used[i] || brought_in[i])
	}
}

init {
	atomic {
		byte i;

		for (i : 0 .. REQUESTS - 1) {
			run request(i)
		}
	}
}
