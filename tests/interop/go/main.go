// Command peer is a go-libp2p peer driven over stdin and stdout by ../run.py.
// The protocol is described in ../README.md.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
)

const commandTimeout = 60 * time.Second

// command is the union of all commands' members.
type command struct {
	Do    string   `json:"do"`
	Ns    string   `json:"ns"`
	Addr  string   `json:"addr"`
	Peer  string   `json:"peer"`
	Proto string   `json:"proto"`
	Name  string   `json:"name"`
	Reply string   `json:"reply"`
	Addrs []string `json:"addrs"`
	Data  string   `json:"data"`
	Bytes uint64   `json:"bytes"`
	Count int      `json:"count"`
	N     int      `json:"n"`
}

type event map[string]any

var stdoutLock sync.Mutex

func emit(name string, e event) {
	e["event"] = name
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	stdoutLock.Lock()
	defer stdoutLock.Unlock()
	fmt.Println(string(line))
}

func fail(stage string, id peer.ID, err error) {
	e := event{"stage": stage, "text": err.Error()}
	if id != "" {
		e["peer"] = id.String()
	}
	emit("error", e)
}

func identity(kind, seedHex string) (crypto.PrivKey, error) {
	seed, err := hex.DecodeString(seedHex)
	if err != nil || len(seed) != 32 {
		return nil, fmt.Errorf("--seed: want 64 hex digits")
	}
	switch kind {
	case "ed25519":
		key, _, err := crypto.GenerateEd25519Key(strings.NewReader(string(seed)))
		return key, err
	case "secp256k1":
		return crypto.UnmarshalSecp256k1PrivateKey(seed)
	case "rsa":
		key, _, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
		return key, err
	case "ecdsa":
		key, _, err := crypto.GenerateECDSAKeyPair(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("--key-type %s: unknown", kind)
}

func newHost(seed, keyType, listen, security, agent string, circuit, punch bool) (host.Host, error) {
	key, err := identity(keyType, seed)
	if err != nil {
		return nil, err
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent(agent),
		libp2p.NoTransports,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(quic.NewTransport),
		libp2p.Transport(websocket.New),
		libp2p.Muxer("/yamux/1.0.0", yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
	}
	if punch {
		opts = append(opts, libp2p.EnableHolePunching())
	}
	if circuit {
		opts = append(opts, libp2p.EnableRelay())
	} else {
		opts = append(opts, libp2p.DisableRelay())
	}
	for _, name := range strings.Split(security, ",") {
		switch name {
		case "noise":
			opts = append(opts, libp2p.Security(noise.ID, noise.New))
		case "tls":
			opts = append(opts, libp2p.Security(libp2ptls.ID, libp2ptls.New))
		default:
			return nil, fmt.Errorf("--security %s: unknown", name)
		}
	}
	if listen == "" {
		opts = append(opts, libp2p.NoListenAddrs)
	} else {
		opts = append(opts, libp2p.ListenAddrStrings(strings.Split(listen, ",")...))
	}
	return libp2p.New(opts...)
}

func dial(h host.Host, addr string) {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		fail("dial", "", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	if err := h.Connect(ctx, *info); err != nil {
		fail("dial", info.ID, err)
	}
}

func pingPeer(h host.Host, id peer.ID, n int) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	results := ping.Ping(ctx, h, id)
	for seq := 1; seq <= n; seq++ {
		r, open := <-results
		if !open {
			r.Error = fmt.Errorf("ping stream ended")
		}
		if r.Error != nil {
			fail("ping", id, r.Error)
			return
		}
		emit("ping", event{"peer": id.String(), "seq": seq, "ms": float64(r.RTT.Microseconds()) / 1000})
	}
}

func run(h host.Host, d *dht.IpfsDHT, an *autonatv2.AutoNAT, c command) {
	var id peer.ID
	if c.Peer != "" {
		var err error
		if id, err = peer.Decode(c.Peer); err != nil {
			fail("command", "", err)
			return
		}
	}
	switch c.Do {
	case "dial":
		dial(h, c.Addr)
	case "reserve":
		reserve(h, c.Addr)
	case "ping":
		pingPeer(h, id, max(c.N, 1))
	case "open":
		var all sync.WaitGroup
		for range max(c.Count, 1) {
			all.Go(func() { openStream(h, id, c) })
		}
		all.Wait()
	case "serve":
		h.SetStreamHandler(protocol.ID("/peerup/"+c.Name+"/1.0.0"), reported(serviceHandler(c.Reply)))
		emit("serving", event{"name": c.Name})
	case "addproto":
		h.SetStreamHandler(protocol.ID(c.Name), reported(handleEcho))
		emit("added", event{"name": c.Name})
	case "conns":
		list := []event{}
		for _, conn := range h.Network().Conns() {
			e := describe(conn)
			e["streams"] = len(conn.GetStreams())
			list = append(list, e)
		}
		emit("conns", event{"conns": list})
	case "disconnect":
		if err := h.Network().ClosePeer(id); err != nil {
			fail("disconnect", id, err)
		}
	case "autonat":
		if an == nil {
			emit("error", event{"stage": "command", "text": "autonat needs --autonat"})
			return
		}
		askReachable(an, c.Addrs)
	case "provide", "find", "findpeer", "closest", "table", "refresh":
		if d == nil {
			emit("error", event{"stage": "command", "text": c.Do + " needs --kad"})
			return
		}
		ask(d, id, c)
	default:
		emit("error", event{"stage": "command", "text": "unknown command " + c.Do})
	}
}

func main() {
	seed := flag.String("seed", "", "identity, 64 hex digits")
	keyType := flag.String("key-type", "ed25519", "ed25519, secp256k1, rsa or ecdsa")
	listen := flag.String("listen", "", "multiaddrs, comma separated")
	security := flag.String("security", "tls,noise", "in order of preference")
	flag.String("muxer", "yamux", "only yamux exists")
	agent := flag.String("name", "go-interop", "agent version")
	circuit := flag.Bool("circuit", false, "use relays")
	punch := flag.Bool("punch", false, "punch holes")
	flag.String("announce", "", "not needed")
	flag.Bool("gate", false, "for ours")
	autonat := flag.Bool("autonat", false, "be an AutoNAT v2 client and server")
	limits := flag.String("relay", "", "be a relay: TTL,DURATION,BYTES (0: no limit)")
	discover := flag.Bool("mdns", false, "look for peers on the link")
	kad := flag.String("kad", "", "join the private DHT: client or server")
	flag.Parse()

	h, err := newHost(*seed, *keyType, *listen, *security, *agent, *circuit, *punch)
	if err == nil && *limits != "" {
		err = serveRelay(h, *limits)
	}
	if err != nil {
		fail("listen", "", err)
		os.Exit(1)
	}
	var d *dht.IpfsDHT
	if *kad != "" {
		if d, err = newDHT(h, *kad); err != nil {
			fail("listen", "", err)
			os.Exit(1)
		}
	}
	var an *autonatv2.AutoNAT
	if *autonat {
		dialer, err := newHost(strings.Repeat("d1", 32), "ed25519", "", *security, "", false, false)
		if err == nil {
			an, err = newAutonat(h, dialer)
		}
		if err != nil {
			fail("listen", "", err)
			os.Exit(1)
		}
	}
	setHandlers(h)
	if err := watch(h); err != nil {
		fail("listen", "", err)
		os.Exit(1)
	}

	own := ma.StringCast("/p2p/" + h.ID().String())
	addrs := []string{}
	for _, a := range h.Addrs() {
		addrs = append(addrs, a.Encapsulate(own).String())
	}
	emit("ready", event{"peer": h.ID().String(), "addrs": addrs, "agent": *agent})
	if *discover {
		s, err := startMDNS(h)
		if err != nil {
			fail("listen", "", err)
			os.Exit(1)
		}
		defer s.Close()
	}

	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var c command
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			fail("command", "", err)
			continue
		}
		if c.Do == "quit" {
			break
		}
		go run(h, d, an, c)
	}
	if d != nil {
		d.Close()
	}
	h.Close()
	emit("bye", event{})
}
