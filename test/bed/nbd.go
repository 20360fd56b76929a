package bed

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// blockDevice is what serveNBD shows to its client.
type blockDevice interface {
	io.ReaderAt
	io.WriterAt
	Flush() error
}

// Numbers of the network block device's protocol (NetworkBlockDevice/nbd, doc/proto.md).
const (
	nbdMagic        = 0x4e42444d41474943 // "NBDMAGIC"
	nbdOption       = 0x49484156454f5054 // "IHAVEOPT"
	nbdOptionReply  = 0x3e889045565a9
	nbdRequest      = 0x25609513
	nbdReply        = 0x67446698
	nbdFixed        = 1 | 2 // fixed newstyle, no zeroes
	nbdHasFlushFUA  = 1 | 4 | 8
	nbdOptAbort     = 2
	nbdOptInfo      = 6
	nbdOptGo        = 7
	nbdReplyAck     = 1
	nbdReplyInfo    = 3
	nbdUnsupported  = 1<<31 + 1
	nbdRead         = 0
	nbdWrite        = 1
	nbdDisconnect   = 2
	nbdFlush        = 3
	nbdFUA          = 1
	nbdErrIO        = 5
	nbdErrInvalid   = 22
	nbdLongest      = 64 << 20 // of one request, in bytes
	nbdLongestWords = 1 << 16  // of one option, in bytes
)

// serveNBD lets one client, qemu, use a device of this size until the client goes. When the device has no power, nothing is
// answered any more.
func serveNBD(line io.ReadWriter, dev blockDevice, size int64) error {
	r := bufio.NewReaderSize(line, 1<<18)
	ok, err := negotiateNBD(r, line, size)
	if err != nil {
		return fmt.Errorf("cannot agree with the client of the disk: %w", err)
	}
	for ok {
		if ok, err = serveNBDRequest(r, line, dev); errors.Is(err, io.EOF) || errors.Is(err, errPower) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot serve the disk: %w", err)
		}
	}
	return nil
}

// negotiateNBD says how large the device is and that it can flush; false if the client wants no more.
func negotiateNBD(r io.Reader, w io.Writer, size int64) (ok bool, err error) {
	send := func(values ...any) {
		for _, v := range values {
			if err == nil {
				err = binary.Write(w, binary.BigEndian, v)
			}
		}
	}
	reply := func(option, kind uint32) { send(uint64(nbdOptionReply), option, kind, uint32(0)) }
	send(uint64(nbdMagic), uint64(nbdOption), uint16(nbdFixed))
	var flags uint32
	if err == nil {
		err = binary.Read(r, binary.BigEndian, &flags)
	}
	for err == nil {
		var o struct {
			Magic        uint64
			Kind, Length uint32
		}
		if err = binary.Read(r, binary.BigEndian, &o); err != nil {
			break
		}
		if o.Magic != nbdOption || o.Length > nbdLongestWords {
			return false, fmt.Errorf("it sent %#x", o.Magic)
		}
		if _, err = io.CopyN(io.Discard, r, int64(o.Length)); err != nil { // the name of an export; there is one
			break
		}
		switch o.Kind {
		case nbdOptGo, nbdOptInfo:
			info := struct {
				Kind  uint16
				Size  uint64
				Flags uint16
			}{0, uint64(size), nbdHasFlushFUA}
			send(uint64(nbdOptionReply), o.Kind, uint32(nbdReplyInfo), uint32(binary.Size(info)), info)
			reply(o.Kind, nbdReplyAck)
			if o.Kind == nbdOptGo {
				return true, err
			}
		case nbdOptAbort:
			reply(o.Kind, nbdReplyAck)
			return false, err
		default:
			reply(o.Kind, nbdUnsupported)
		}
	}
	return false, err
}

// serveNBDRequest answers one request; false if it was the last.
func serveNBDRequest(r io.Reader, w io.Writer, dev blockDevice) (more bool, err error) {
	var q struct {
		Magic       uint32
		Flags, Kind uint16
		Handle, At  uint64
		Length      uint32
	}
	if err := binary.Read(r, binary.BigEndian, &q); err != nil {
		return false, err
	}
	if q.Magic != nbdRequest || q.Length > nbdLongest {
		return false, fmt.Errorf("the client sent %#x for %d bytes", q.Magic, q.Length)
	}
	data := make([]byte, 16, 16+q.Length) // with the head of the answer
	switch q.Kind {
	case nbdRead:
		data = data[:16+q.Length]
		_, err = dev.ReadAt(data[16:], int64(q.At))
	case nbdWrite:
		body := data[16 : 16+q.Length]
		if _, err := io.ReadFull(r, body); err != nil {
			return false, err
		}
		if _, err = dev.WriteAt(body, int64(q.At)); err == nil && q.Flags&nbdFUA != 0 {
			err = dev.Flush()
		}
	case nbdFlush:
		err = dev.Flush()
	case nbdDisconnect:
		return false, nil
	default:
		err = errors.ErrUnsupported
	}
	code := uint32(0)
	switch {
	case errors.Is(err, errPower):
		return false, err
	case errors.Is(err, errors.ErrUnsupported):
		code = nbdErrInvalid
	case err != nil:
		code = nbdErrIO
	}
	if code != 0 {
		data = data[:16]
	}
	binary.BigEndian.PutUint32(data, nbdReply)
	binary.BigEndian.PutUint32(data[4:], code)
	binary.BigEndian.PutUint64(data[8:], q.Handle)
	_, err = w.Write(data)
	return true, err
}
