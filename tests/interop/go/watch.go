package main

import (
	"strings"

	bus "github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// describe tells what a connection is made of. go-libp2p leaves security and
// muxer empty for QUIC, which brings its own.
func describe(c network.Conn) event {
	state := c.ConnState()
	security, muxer := string(state.Security), string(state.StreamMultiplexer)
	addr := c.RemoteMultiaddr().String()
	if strings.Contains(addr, "/quic") && !strings.Contains(addr, "/p2p-circuit") {
		security, muxer = "quic", "quic"
	}
	return event{
		"peer":      c.RemotePeer().String(),
		"addr":      c.RemoteMultiaddr().String(),
		"direction": strings.ToLower(c.Stat().Direction.String()),
		"security":  security,
		"muxer":     muxer,
		"early":     state.UsedEarlyMuxerNegotiation,
		"limited":   c.Stat().Limited,
	}
}

// watch reports connections and identify results as they come.
func watch(h host.Host) error {
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			emit("connected", describe(c))
		},
		DisconnectedF: func(_ network.Network, c network.Conn) {
			emit("disconnected", event{"peer": c.RemotePeer().String()})
		},
	})
	sub, err := h.EventBus().Subscribe([]any{
		new(bus.EvtPeerIdentificationCompleted),
		new(bus.EvtPeerProtocolsUpdated),
		new(bus.EvtPeerIdentificationFailed),
	}, eventbus.BufSize(256))
	if err != nil {
		return err
	}
	go func() {
		for e := range sub.Out() {
			switch e := e.(type) {
			case bus.EvtPeerIdentificationCompleted:
				identified(e)
			case bus.EvtPeerProtocolsUpdated:
				updated(h, e)
			case bus.EvtPeerIdentificationFailed:
				fail("identify", e.Peer, e.Reason)
			}
		}
	}()
	return nil
}

func identified(e bus.EvtPeerIdentificationCompleted) {
	protocols, addrs := []string{}, []string{}
	for _, p := range e.Protocols {
		protocols = append(protocols, string(p))
	}
	for _, a := range e.ListenAddrs {
		addrs = append(addrs, a.String())
	}
	// go-libp2p drops a record that does not verify, so "invalid" never shows here.
	record := "none"
	if e.SignedPeerRecord != nil {
		record = "valid"
	}
	observed := ""
	if e.ObservedAddr != nil {
		observed = e.ObservedAddr.String()
	}
	emit("identified", event{
		"peer": e.Peer.String(), "agent": e.AgentVersion, "protocolVersion": e.ProtocolVersion,
		"protocols": protocols, "addrs": addrs, "observed": observed, "signedRecord": record,
	})
}

// updated reports the merged view after a push.
func updated(h host.Host, e bus.EvtPeerProtocolsUpdated) {
	known, err := h.Peerstore().GetProtocols(e.Peer)
	if err != nil {
		return
	}
	protocols := []string{}
	for _, p := range known {
		protocols = append(protocols, string(p))
	}
	emit("identified", event{"peer": e.Peer.String(), "protocols": protocols, "push": true})
}
