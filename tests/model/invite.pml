/* Invitations of version 3 (docs/protocols/invite.md): one inviter I with one code, two joiners
 * J and K that may both have been told it, and M, who was not told and is the network: a relay that
 * says who has the number, hears everything, and delivers what it likes, to whom it likes, in
 * whatever order, as often as it likes, or never. Any machine may crash between two steps
 * and then knows what is on its disk.
 *
 * Cryptography is taken to be perfect: a proof is right when both ends of it have the same
 * password, the same two shares and the same idea of who is who. What M may do is guess. A
 * guess is one run with one password; the first LIMIT guesses of M are taken to be wrong and
 * the next one to be right, so that the limit is all that stands between M and the code.
 *
 * Two sizes: CROWD has J, K and one session more than guesses; otherwise J comes twice, crashes,
 * and comes again.
 *
 * Each NO_… removes one rule; then a property must break, which is what the tests look for. */

#define ATTEMPTS 2 /* streams that joiners open */
#define LIMIT 2    /* wrong guesses that the inviter allows */
#ifdef CROWD
#define SESSIONS 3 /* streams that the inviter answers */
#define J_CRASHES 0
#else
#define SESSIONS 2
#define J_CRASHES 1
#endif
#define I_CRASHES 1

/* Who; as an index. */
#define J 0
#define K 1
#define M 2
#define I 3
#define PEERS 3

#ifdef CROWD
#define owner(a) (a)
#define may_start(a) true
#else
#define owner(a) J
#define may_start(a) (a == 0 || attempt[0] == dead)
#endif
#define OF_M ATTEMPTS /* a share that M has made itself */

/* What is on a disk about the other side. */
#define NOT 0
#define PROVISIONAL 1
#define FOREVER 2

/* --- what M has heard: once sent, a message may be delivered at any time --------------- */
bool sent1[ATTEMPTS], sent3[ATTEMPTS], sent5[ATTEMPTS];
bool sent2[SESSIONS], sent4[SESSIONS], sent6[SESSIONS];

/* --- the inviter ----------------------------------------------------------------------- */
mtype = { idle, answered, proven, stored, introduced, said, done, dead };
mtype session[SESSIONS] = idle;
byte s_peer[SESSIONS];  /* who the connection says is at the other end */
byte s_share[SESSIONS]; /* whose share it heard: an attempt, or M's */
bool s_right[SESSIONS]; /* M's share was made with the right password */
bool usable = true;     /* the code is in memory, good, and has not been used */
byte guesses;
byte of_m;              /* guesses of M so far */
byte i_has[PEERS];
bool i_had[PEERS];      /* has it ever been on disk */
byte i_crashes;

/* --- joiners --------------------------------------------------------------------------- */
mtype attempt[ATTEMPTS] = idle;
byte a_peer[ATTEMPTS];  /* whom the relay named: I or M */
byte a_share[ATTEMPTS]; /* whose share it heard: a session, or M's (SESSIONS) */
byte j_has[PEERS];      /* J and K: about the inviter that they believe in */
byte j_whom[PEERS];
bool j_had[PEERS];
byte j_crashes;

/* --- properties ------------------------------------------------------------------------ */
inline check()
{
	/* (a) Nobody is authorised who did not hold the code. */
	assert(i_has[M] == NOT);
	assert(j_has[J] == NOT || j_whom[J] == I);
	assert(j_has[K] == NOT || j_whom[K] == I);
	/* (b) Nobody authorises the other for ever who has not had it on disk as well. */
	assert(i_has[J] != FOREVER || j_had[J]);
	assert(i_has[K] != FOREVER || j_had[K]);
	assert(j_has[J] != FOREVER || i_had[J]);
	assert(j_has[K] != FOREVER || i_had[K]);
	/* (c) The code authorises one peer at most. */
	assert(i_had[J] + i_had[K] + i_had[M] <= 1);
#ifdef MUST_REACH_END
	/* Not a property: that this fails shows that the model can come to a good end. */
	assert(!(i_has[J] == FOREVER && attempt[0] == done));
#endif
}

/* Both ends of session s and attempt a have each other's share, and mean the same peers. */
#ifdef NO_BOUND_IDS
#define same_peers(s, a) true
#else
#define same_peers(s, a) (s_peer[s] == owner(a) && a_peer[a] == I)
#endif
#define same_run(s, a) (s_share[s] == a && a_share[a] == s && same_peers(s, a))

#ifdef NO_CONFIRM_CHECK
#define proof3_is_right(s) true
#else
#define proof3_is_right(s) \
	((s_share[s] == OF_M && s_right[s]) || \
	 (s_share[s] == 0 && sent3[0] && same_run(s, 0)) || \
	 (s_share[s] == 1 && sent3[1] && same_run(s, 1)))
#endif

#define heard5(s) \
	((s_share[s] == OF_M) || \
	 (s_share[s] == 0 && sent5[0]) || (s_share[s] == 1 && sent5[1]))

/* M as an inviter would have to guess, one guess for each time that a person types the code:
 * those guesses are taken to be wrong. */
#ifdef NO_JOINER_CHECK
#define proof4_is_right(a) true
#else
#define proof4_is_right(a) \
	(a_share[a] < SESSIONS && sent4[a_share[a]] && same_run(a_share[a], a))
#endif

#ifdef NO_GUESS_LIMIT
#define may_guess true
#else
#define may_guess (guesses < LIMIT)
#endif

#ifdef NO_BURN
#define may_use true
#else
#define may_use usable
#endif

/* What nobody can tell apart any more is made the same, for fewer states: a session that has
 * ended before it said what an attempt could hear, and the other way round. */
inline end_session(s)
{
	session[s] = dead;
	if
	:: !sent4[s] -> s_peer[s] = 0; s_share[s] = 0; s_right[s] = false
	:: else
	fi
}

inline end_attempt(a)
{
	attempt[a] = dead;
	if
	:: !sent3[a] -> a_peer[a] = 0; a_share[a] = 0
	:: else
	fi
}

/* A stream to the inviter. */
proctype inviter(byte s)
{
end:	do
	/* M connects a stream to it, as itself or as a joiner (more than connections allow); what
	 * is said on it first is any share that was ever sent, or one of M's own. */
	:: atomic { session[s] == idle && may_use && (s == 0 || session[s - 1] != idle) ->
		if
		:: s_peer[s] = J
		:: s_peer[s] = K
		:: s_peer[s] = M
		fi;
		if
		:: sent1[0] -> s_share[s] = 0
		:: sent1[1] -> s_share[s] = 1
		:: s_share[s] = OF_M
		fi;
		if
		:: may_guess ->
#ifndef NO_COUNT_BEFORE_ANSWER
			guesses++;
#endif
			if
			:: s_share[s] == OF_M -> of_m++; s_right[s] = (of_m > LIMIT)
			:: else
			fi;
			session[s] = answered;
			sent2[s] = true
		:: else -> end_session(s)
		fi }
	:: atomic { session[s] == answered && may_use && proof3_is_right(s) ->
		session[s] = proven;
		usable = false;
		guesses = (guesses > 0 -> guesses - 1 : 0) }
	/* What M says is wrong: nobody hears of it. */
	:: atomic { session[s] == answered && s_share[s] == OF_M && !s_right[s] ->
#ifdef NO_COUNT_BEFORE_ANSWER
		guesses++;
#endif
		end_session(s) }
	:: atomic { session[s] == proven ->
		session[s] = stored;
#ifdef NO_PROVISIONAL
		i_has[s_peer[s]] = FOREVER;
#else
		i_has[s_peer[s]] = (i_has[s_peer[s]] == NOT -> PROVISIONAL : i_has[s_peer[s]]);
#endif
		i_had[s_peer[s]] = true;
		check() }
	/* The disk refuses: the code is good for another try, and a refusal is sent. */
	:: atomic { session[s] == proven -> end_session(s); usable = true }
	:: atomic { session[s] == stored -> session[s] = introduced; sent4[s] = true }
#ifdef NO_STORE_BEFORE_ACK
	:: atomic { session[s] == introduced && heard5(s) -> session[s] = said; sent6[s] = true }
	:: atomic { session[s] == said && i_has[s_peer[s]] != NOT ->
		i_has[s_peer[s]] = FOREVER;
		session[s] = done;
		check() }
#else
	:: atomic { session[s] == introduced && heard5(s) ->
		if
		:: i_has[s_peer[s]] == NOT -> end_session(s) /* taken back meanwhile */
		:: else ->
			i_has[s_peer[s]] = FOREVER;
			session[s] = said;
			check()
		fi }
	:: atomic { session[s] == said -> session[s] = done; sent6[s] = true }
#endif
	od
}

proctype joiner(byte a)
{
end:	do
	:: atomic { attempt[a] == idle && may_start(a) ->
		if
		:: a_peer[a] = I
		:: a_peer[a] = M
		fi;
		attempt[a] = answered;
		sent1[a] = true }
	:: atomic { attempt[a] == answered ->
		if
		:: sent2[0] -> a_share[a] = 0
		:: sent2[1] -> a_share[a] = 1
#if SESSIONS > 2
		:: sent2[2] -> a_share[a] = 2
#endif
		:: a_share[a] = SESSIONS
		fi;
		attempt[a] = proven;
		sent3[a] = true }
	:: atomic { attempt[a] == proven && proof4_is_right(a) -> attempt[a] = introduced }
#ifdef NO_STORE_BEFORE_WORD
	:: atomic { attempt[a] == introduced -> attempt[a] = said; sent5[a] = true }
	:: atomic { attempt[a] == said && j_has[owner(a)] == NOT ->
#else
	:: atomic { attempt[a] == introduced ->
		attempt[a] = stored;
#endif
		if
		:: j_has[owner(a)] == NOT -> j_has[owner(a)] = PROVISIONAL
		:: else
		fi;
		j_whom[owner(a)] = a_peer[a];
		j_had[owner(a)] = true;
		check() }
	:: atomic { attempt[a] == stored -> attempt[a] = said; sent5[a] = true }
	:: atomic { attempt[a] == said && a_share[a] < SESSIONS && sent6[a_share[a]] &&
		    same_run(a_share[a], a) && j_has[owner(a)] != NOT ->
		/* (d) Who is told that both are done is told the truth. */
		assert(i_has[owner(a)] == FOREVER);
		j_has[owner(a)] = FOREVER;
		attempt[a] = done;
		check() }
	/* It gives up: what it waits for does not come. */
	:: atomic { (attempt[a] == answered || attempt[a] == proven) -> end_attempt(a) }
	od
}

/* What happens to disks and machines apart from the conversation. */
active proctype world()
{
	byte p;

end:	do
	/* The two are connected as members: each hears what is told to members only. */
	:: atomic { i_has[J] == PROVISIONAL && j_has[J] != NOT && j_whom[J] == I ->
		i_has[J] = FOREVER; check() }
	:: atomic { j_has[J] == PROVISIONAL && j_whom[J] == I && i_has[J] != NOT ->
		j_has[J] = FOREVER; check() }
	:: atomic { i_has[K] == PROVISIONAL && j_has[K] != NOT && j_whom[K] == I ->
		i_has[K] = FOREVER; check() }
	:: atomic { j_has[K] == PROVISIONAL && j_whom[K] == I && i_has[K] != NOT ->
		j_has[K] = FOREVER; check() }
#ifndef NO_TAKING_BACK
	/* Ten minutes have passed. */
	:: atomic { i_has[J] == PROVISIONAL -> i_has[J] = NOT }
	:: atomic { i_has[K] == PROVISIONAL -> i_has[K] = NOT }
	:: atomic { j_has[J] == PROVISIONAL -> j_has[J] = NOT }
	:: atomic { j_has[K] == PROVISIONAL -> j_has[K] = NOT }
#endif
	/* The code's time is over. */
	:: atomic { usable -> usable = false }
	/* Codes are in memory only: after a crash there is none. */
	:: atomic { i_crashes < I_CRASHES ->
		i_crashes++;
		usable = false;
		for (p : 0 .. SESSIONS - 1) {
			end_session(p)
		}
		p = 0 }
	:: atomic { j_crashes < J_CRASHES && attempt[0] != idle && attempt[0] != dead ->
		j_crashes++;
		end_attempt(0) }
	/* All goes well from here on. */
	:: atomic { i_crashes < I_CRASHES -> i_crashes = I_CRASHES }
	od
}

/* (e) In the end nobody is left half authorised. */
active proctype the_end()
{
end:	timeout;
	assert(i_has[J] != PROVISIONAL && i_has[K] != PROVISIONAL);
	assert(j_has[J] != PROVISIONAL && j_has[K] != PROVISIONAL)
}

init {
	atomic {
		run inviter(0);
		run inviter(1);
#if SESSIONS > 2
		run inviter(2);
#endif
		run joiner(0);
		run joiner(1)
	}
}
