package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	protoEcho     = "/interop/echo/1.0.0"
	protoSink     = "/interop/sink/1.0.0"
	protoSource   = "/interop/source/1.0.0"
	protoReset    = "/interop/reset/1.0.0"
	protoPingpong = "/pingpong/1.0.0"

	resetCode   = 42
	sourceMax   = 1 << 40
	textMax     = 4096
	pieceLength = 64 << 10
)

// outcome is what happened on one stream.
type outcome struct {
	in, out uint64
	err     error
	ok      bool
	text    *string
}

// pattern reads as the test data of README.md, limit bytes of it.
type pattern struct{ off, limit uint64 }

func patternByte(i uint64) byte { return byte(i ^ i>>8 ^ i>>16) }

func (p *pattern) Read(b []byte) (int, error) {
	if p.off == p.limit {
		return 0, io.EOF
	}
	n := min(uint64(len(b)), p.limit-p.off)
	for i := range n {
		b[i] = patternByte(p.off + i)
	}
	p.off += n
	return int(n), nil
}

// matcher is a writer that remembers whether it saw exactly the pattern.
type matcher struct {
	n     uint64
	wrong bool
}

func (m *matcher) Write(b []byte) (int, error) {
	for i, c := range b {
		if c != patternByte(m.n+uint64(i)) {
			m.wrong = true
		}
	}
	m.n += uint64(len(b))
	return len(b), nil
}

func report(s network.Stream, direction string, start time.Time, o outcome) {
	end, code := "eof", uint32(0)
	var reset *network.StreamError
	if errors.As(o.err, &reset) {
		code = uint32(reset.ErrorCode)
	}
	if o.err != nil && !errors.Is(o.err, io.EOF) {
		end = "reset"
	}
	e := event{
		"peer": s.Conn().RemotePeer().String(), "proto": string(s.Protocol()), "direction": direction,
		"in": o.in, "out": o.out, "end": end, "code": code, "ok": o.ok,
		"ms": float64(time.Since(start).Microseconds()) / 1000,
	}
	if o.err != nil {
		e["why"] = o.err.Error()
	}
	if o.text != nil {
		e["text"] = *o.text
	}
	emit("stream", e)
}

// ---- handlers

type handler func(s network.Stream) outcome

func reported(fn handler) network.StreamHandler {
	return func(s network.Stream) {
		start := time.Now()
		o := fn(s)
		s.Close()
		report(s, "inbound", start, o)
	}
}

func setHandlers(h host.Host) {
	h.SetStreamHandler(protoEcho, reported(handleEcho))
	h.SetStreamHandler(protoSink, reported(handleSink))
	h.SetStreamHandler(protoSource, reported(handleSource))
	h.SetStreamHandler(protoReset, reported(handleReset))
	h.SetStreamHandler(protoPingpong, reported(handlePingpong))
}

func handleEcho(s network.Stream) outcome {
	n, err := io.CopyBuffer(onlyWriter{s}, s, make([]byte, pieceLength))
	return outcome{in: uint64(n), out: uint64(n), err: err, ok: err == nil}
}

func handleSink(s network.Stream) outcome {
	hash := sha256.New()
	n, err := io.Copy(hash, s)
	if err != nil {
		return outcome{in: uint64(n), err: err}
	}
	answer := binary.BigEndian.AppendUint64(nil, uint64(n))
	_, err = s.Write(hash.Sum(answer))
	return outcome{in: uint64(n), out: 40, err: err, ok: err == nil}
}

func readWanted(s network.Stream) (uint64, error) {
	var head [8]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return 0, err
	}
	wanted := binary.BigEndian.Uint64(head[:])
	if wanted > sourceMax {
		return 0, errors.New("too much wanted")
	}
	return wanted, nil
}

func handleSource(s network.Stream) outcome {
	wanted, err := readWanted(s)
	if err == nil {
		_, err = io.Copy(io.Discard, s)
	}
	if err != nil {
		return outcome{err: err}
	}
	n, err := io.CopyBuffer(onlyWriter{s}, &pattern{limit: wanted}, make([]byte, pieceLength))
	return outcome{in: 8, out: uint64(n), err: err, ok: err == nil}
}

func handleReset(s network.Stream) outcome {
	wanted, err := readWanted(s)
	if err != nil {
		return outcome{err: err}
	}
	n, err := io.CopyBuffer(onlyWriter{s}, &pattern{limit: wanted}, make([]byte, pieceLength))
	s.ResetWithError(resetCode)
	return outcome{in: 8, out: uint64(n), err: err, ok: err == nil}
}

func handlePingpong(s network.Stream) outcome {
	line, err := bufio.NewReader(io.LimitReader(s, textMax)).ReadString('\n')
	if err != nil {
		return outcome{in: uint64(len(line)), err: err}
	}
	answer := "unknown\n"
	if strings.TrimSpace(line) == "ping" {
		answer = "pong\n"
	}
	_, err = io.WriteString(s, answer)
	return outcome{in: uint64(len(line)), out: uint64(len(answer)), err: err, ok: err == nil && answer == "pong\n"}
}

// serviceHandler speaks first, as many services do, then echoes.
func serviceHandler(reply string) handler {
	return func(s network.Stream) outcome {
		if _, err := io.WriteString(s, reply); err != nil {
			return outcome{err: err}
		}
		o := handleEcho(s)
		o.out += uint64(len(reply))
		return o
	}
}

// ---- openers

// onlyWriter hides ReadFrom, so that io.CopyBuffer uses our buffer.
type onlyWriter struct{ io.Writer }

// send writes n bytes of pattern and half-closes.
func send(s network.Stream, n uint64) (uint64, error) {
	sent, err := io.CopyBuffer(onlyWriter{s}, &pattern{limit: n}, make([]byte, pieceLength))
	if err != nil {
		return uint64(sent), err
	}
	return uint64(sent), s.CloseWrite()
}

func openEcho(s network.Stream, n uint64) outcome {
	type sent struct {
		n   uint64
		err error
	}
	done := make(chan sent, 1)
	go func() {
		n, err := send(s, n)
		done <- sent{n, err}
	}()
	var m matcher
	_, err := io.CopyBuffer(&m, s, make([]byte, pieceLength))
	out := <-done
	if err == nil {
		err = out.err
	}
	return outcome{in: m.n, out: out.n, err: err, ok: err == nil && m.n == n && !m.wrong}
}

func openSink(s network.Stream, n uint64) outcome {
	sent, err := send(s, n)
	if err != nil {
		return outcome{out: sent, err: err}
	}
	hash := sha256.New()
	io.Copy(hash, &pattern{limit: n})
	want := hash.Sum(binary.BigEndian.AppendUint64(nil, n))
	got, err := io.ReadAll(io.LimitReader(s, 64))
	return outcome{in: uint64(len(got)), out: sent, err: err, ok: err == nil && bytes.Equal(got, want)}
}

func openSource(s network.Stream, n uint64, half bool) outcome {
	if _, err := s.Write(binary.BigEndian.AppendUint64(nil, n)); err != nil {
		return outcome{err: err}
	}
	if half {
		if err := s.CloseWrite(); err != nil {
			return outcome{out: 8, err: err}
		}
	}
	var m matcher
	_, err := io.CopyBuffer(&m, s, make([]byte, pieceLength))
	return outcome{in: m.n, out: 8, err: err, ok: err == nil && m.n == n && !m.wrong}
}

// openReset succeeds when the peer resets, which the others count as failure.
func openReset(s network.Stream, n uint64) outcome {
	o := openSource(s, n, false)
	o.ok = o.err != nil && o.in <= n
	return o
}

func openPingpong(s network.Stream) outcome {
	if _, err := io.WriteString(s, "ping\n"); err != nil {
		return outcome{err: err}
	}
	line, err := bufio.NewReader(io.LimitReader(s, textMax)).ReadString('\n')
	return outcome{in: uint64(len(line)), out: 5, err: err, ok: strings.TrimSpace(line) == "pong"}
}

func openService(s network.Stream, data string) outcome {
	done := make(chan error, 1)
	go func() {
		_, err := io.WriteString(s, data)
		if err == nil {
			err = s.CloseWrite()
		}
		done <- err
	}()
	head, err := io.ReadAll(io.LimitReader(s, textMax))
	more := int64(0)
	if err == nil {
		more, err = io.Copy(io.Discard, s)
	}
	if werr := <-done; err == nil {
		err = werr
	}
	text := string(head)
	return outcome{in: uint64(len(head)) + uint64(more), out: uint64(len(data)), err: err, ok: err == nil, text: &text}
}

func openStream(h host.Host, id peer.ID, c command) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	start := time.Now()
	s, err := h.NewStream(network.WithAllowLimitedConn(ctx, "interop"), id, protocol.ID(c.Proto))
	if err != nil {
		fail("open", id, err)
		return
	}
	var o outcome
	switch c.Proto {
	case protoSink:
		o = openSink(s, c.Bytes)
	case protoSource:
		o = openSource(s, c.Bytes, true)
	case protoReset:
		o = openReset(s, c.Bytes)
	case protoPingpong:
		o = openPingpong(s)
	default:
		if strings.HasPrefix(c.Proto, "/peerup/") {
			o = openService(s, c.Data)
		} else {
			o = openEcho(s, c.Bytes)
		}
	}
	s.Close()
	report(s, "outbound", start, o)
}
