package bed

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func newVolatileDisk(t *testing.T, blocks int) *volatileDisk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, bytes.Repeat([]byte{'.'}, blocks*diskBlock), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openVolatileDisk(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func writeDisk(t *testing.T, d blockDevice, text string, at int64) {
	t.Helper()
	if _, err := d.WriteAt([]byte(text), at); err != nil {
		t.Fatal(err)
	}
}

func readDisk(t *testing.T, d blockDevice, n int, at int64) string {
	t.Helper()
	p := make([]byte, n)
	if _, err := d.ReadAt(p, at); err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// What was flushed survives a power cut, and what was not is lost, also where it lies over what was.
func TestVolatileDiskForgets(t *testing.T) {
	d := newVolatileDisk(t, 4)
	writeDisk(t, d, "durable", diskBlock-3) // across two blocks
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	writeDisk(t, d, "LOST", diskBlock-1)
	if got := readDisk(t, d, 9, diskBlock-4); got != ".duLOSTe." {
		t.Errorf("before the cut: %q", got)
	}
	l, err := d.Cut(rand.New(rand.NewPCG(1, 0)), 0)
	if err != nil || l.cached != 2 || l.kept != 0 {
		t.Errorf("cut: %+v, %v; want two blocks lost", l, err)
	}
	if _, err := d.WriteAt([]byte("x"), 0); err != errPower {
		t.Errorf("a write without power: %v", err)
	}
	if err := d.Flush(); err != errPower {
		t.Errorf("a flush without power: %v", err)
	}
	d.On()
	if got := readDisk(t, d, 9, diskBlock-4); got != ".durable." {
		t.Errorf("after the cut: %q", got)
	}
}

// A disk may have written some of what it was not told to flush, but no block by half.
func TestVolatileDiskKeepsSome(t *testing.T) {
	const blocks = 100
	d := newVolatileDisk(t, blocks)
	for n := range int64(blocks) {
		writeDisk(t, d, string(bytes.Repeat([]byte{'#'}, diskBlock)), n*diskBlock)
	}
	l, err := d.Cut(rand.New(rand.NewPCG(1, 0)), 0.5)
	if err != nil || l.cached != blocks || l.kept < 20 || l.kept > 80 {
		t.Errorf("cut: %+v, %v", l, err)
	}
	d.On()
	kept := 0
	for n := range int64(blocks) {
		switch got := readDisk(t, d, diskBlock, n*diskBlock); {
		case got == string(bytes.Repeat([]byte{'#'}, diskBlock)):
			kept++
		case got != string(bytes.Repeat([]byte{'.'}, diskBlock)):
			t.Errorf("block %d is torn", n)
		}
	}
	if kept != l.kept {
		t.Errorf("%d blocks were kept, and %d are said to be", kept, l.kept)
	}
}

func TestVolatileDiskHasAnEnd(t *testing.T) {
	d := newVolatileDisk(t, 1)
	if _, err := d.WriteAt([]byte("xy"), diskBlock-1); err == nil {
		t.Error("a write beyond the end worked")
	}
	if _, err := d.ReadAt(make([]byte, 1), diskBlock); err == nil {
		t.Error("a read beyond the end worked")
	}
}

// nbdClient speaks as qemu does.
type nbdClient struct {
	t    *testing.T
	line net.Conn
}

func (c nbdClient) send(values ...any) {
	c.t.Helper()
	var b bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&b, binary.BigEndian, v); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.line.Write(b.Bytes()); err != nil {
		c.t.Fatal(err)
	}
}

func (c nbdClient) expect(values ...any) {
	c.t.Helper()
	var want bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&want, binary.BigEndian, v); err != nil {
			c.t.Fatal(err)
		}
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(c.line, got); err != nil || !bytes.Equal(got, want.Bytes()) {
		c.t.Fatalf("got %x, %v; want %x", got, err, want.Bytes())
	}
}

func TestNBD(t *testing.T) {
	d := newVolatileDisk(t, 2)
	server, client := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serveNBD(server, d, d.size) }()
	defer client.Close()
	c := nbdClient{t, client}
	c.expect(uint64(nbdMagic), uint64(nbdOption), uint16(3))
	c.send(uint32(3))
	c.send(uint64(nbdOption), uint32(8), uint32(0)) // structured replies
	c.expect(uint64(nbdOptionReply), uint32(8), uint32(nbdUnsupported), uint32(0))
	c.send(uint64(nbdOption), uint32(nbdOptGo), uint32(6), uint32(0), uint16(0))
	c.expect(uint64(nbdOptionReply), uint32(nbdOptGo), uint32(nbdReplyInfo), uint32(12), uint16(0), uint64(2*diskBlock), uint16(13))
	c.expect(uint64(nbdOptionReply), uint32(nbdOptGo), uint32(nbdReplyAck), uint32(0))
	request := func(flags, kind uint16, handle, at uint64, length uint32, data string) {
		t.Helper()
		c.send(uint32(nbdRequest), flags, kind, handle, at, length, []byte(data))
	}
	answer := func(code uint32, handle uint64, data string) {
		t.Helper()
		c.expect(uint32(nbdReply), code, handle, []byte(data))
	}
	request(0, nbdWrite, 1, 10, 5, "hello")
	answer(0, 1, "")
	request(0, nbdRead, 2, 9, 7, "")
	answer(0, 2, ".hello.")
	if len(d.cache) != 1 {
		t.Error("a write was flushed that nobody wanted to be")
	}
	request(0, nbdFlush, 3, 0, 0, "")
	answer(0, 3, "")
	if len(d.cache) != 0 {
		t.Error("a flush has left something in the cache")
	}
	request(nbdFUA, nbdWrite, 4, 20, 2, "hi")
	answer(0, 4, "")
	if len(d.cache) != 0 {
		t.Error("a write that is durable has left something in the cache")
	}
	request(0, nbdRead, 5, 2*diskBlock, 1, "")
	answer(nbdErrIO, 5, "")
	request(0, 4, 6, 0, 1, "") // discard
	answer(nbdErrInvalid, 6, "")
	if _, err := d.Cut(rand.New(rand.NewPCG(1, 0)), 0); err != nil {
		t.Fatal(err)
	}
	request(0, nbdFlush, 7, 0, 0, "")
	if err := <-ended; err != nil {
		t.Errorf("serveNBD = %v, want an end without an answer", err)
	}
}
