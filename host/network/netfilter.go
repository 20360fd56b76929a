package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// errAbsent says that this kernel has no such part, so that nothing can have been left there.
var errAbsent = errors.New("the kernel does not have this")

// errChanged says that somebody else changed the rules between looking and changing.
var errChanged = errors.New("the rules change all the time")

// attempts is how often looking and changing starts again when others change the rules meanwhile.
const attempts = 20

// netfilter talks to the kernel's packet filter by netlink.
//
// Libraries for it decode every expression of every rule, and an answer that they can't decode, of a rule that is not ours, ends
// the whole. They also do not say which generation of the rules a change was made for. Here only names and handles are read.
type netfilter struct{ *netlink.Conn }

// dial opens a connection to a part of the kernel, with the deadline of the context.
func dial(ctx context.Context, part int) (*netlink.Conn, error) {
	c, err := netlink.Dial(part, nil)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("cannot talk to the kernel's network: %w", err)
	}
	if end, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(end); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// message makes one message of a subsystem: the header that all have, and the attributes.
func message(subsystem, typ int, flags netlink.HeaderFlags, family byte, attrs ...netlink.Attribute) (netlink.Message, error) {
	data, err := netlink.MarshalAttributes(attrs)
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(subsystem<<8 | typ), Flags: netlink.Request | flags},
		Data:   append([]byte{family, unix.NFNETLINK_V0, 0, 0}, data...),
	}, err
}

func text(typ uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: typ, Data: append([]byte(s), 0)}
}

// ask sends one question about the rules and returns the answers.
func (n *netfilter) ask(typ int, flags netlink.HeaderFlags, family byte, attrs ...netlink.Attribute) ([]netlink.Message, error) {
	m, err := message(unix.NFNL_SUBSYS_NFTABLES, typ, flags, family, attrs...)
	if err != nil {
		return nil, err
	}
	return n.Execute(m)
}

// generation returns the number that the kernel counts up with each change of the rules. Where nf_tables is a module, this loads
// it: nothing shows for sure that a kernel does not have it built in, and rules must not be overlooked.
func (n *netfilter) generation() (uint32, error) {
	answers, err := n.ask(unix.NFT_MSG_GETGEN, 0, unix.AF_UNSPEC)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return 0, errAbsent
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look at the kernel's packet filter: %w", err)
	}
	for _, m := range answers {
		ad, err := attributes(m)
		if err != nil {
			return 0, err
		}
		for ad.Next() {
			if ad.Type() == unix.NFTA_GEN_ID {
				return ad.Uint32(), nil
			}
		}
	}
	return 0, errors.New("cannot look at the kernel's packet filter: it does not tell the generation of its rules")
}

// attributes returns those that follow the header in an answer. Numbers in them are big-endian.
func attributes(m netlink.Message) (*netlink.AttributeDecoder, error) {
	if len(m.Data) < 4 {
		return nil, errors.New("cannot read an answer of the kernel's packet filter: it is too short")
	}
	ad, err := netlink.NewAttributeDecoder(m.Data[4:])
	if err == nil {
		ad.ByteOrder = binary.BigEndian
	}
	return ad, err
}

// batch carries out all changes or none, and none if the rules are no longer of that generation, which is an error also where
// there is nothing to change: several answers make one picture only if nothing changed between them.
func (n *netfilter) batch(generation uint32, changes []netlink.Message) error {
	if len(changes) == 0 {
		now, err := n.generation()
		if err == nil && now != generation {
			return errChanged
		}
		return err
	}
	begin, err := message(0, unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, netlink.Attribute{
		Type: unix.NFNL_BATCH_GENID, Data: binary.BigEndian.AppendUint32(nil, generation)})
	if err != nil {
		return err
	}
	end, err := message(0, unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC)
	if err != nil {
		return err
	}
	size := 0
	for _, m := range []netlink.Message{begin, end} {
		m.Data[3] = unix.NFNL_SUBSYS_NFTABLES
	}
	for _, m := range changes {
		size += len(m.Data) + unix.NLMSG_HDRLEN + unix.NLMSG_ALIGNTO
	}
	// A whole batch is one packet. Thousands of services make it larger than what a socket takes otherwise.
	if err := n.SetWriteBuffer(2*size + 1<<16); err != nil {
		return fmt.Errorf("cannot send %d changes to the kernel's packet filter: %w", len(changes), err)
	}
	// Only the last change is to be acknowledged: so there is one answer, the first error or the success of all.
	changes[len(changes)-1].Header.Flags |= netlink.Acknowledge
	all := append(append([]netlink.Message{begin}, changes...), end)
	if _, err := n.SendMessages(all); err != nil {
		return err
	}
	_, err = n.Receive()
	if errors.Is(err, unix.ERESTART) {
		return errChanged
	}
	return err
}

// with does something with a connection. A kernel without a packet filter, or without this part of it, has nothing of ours.
func with(ctx context.Context, do func(n *netfilter) error) error {
	c, err := dial(ctx, unix.NETLINK_NETFILTER)
	if err == nil {
		defer c.Close()
		err = do(&netfilter{c})
	}
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// retry does what looks at the rules and changes them, until nobody else changed them meanwhile.
func retry(ctx context.Context, do func(n *netfilter, generation uint32) error) error {
	err := errChanged
	for range attempts {
		if err = ctx.Err(); err != nil {
			return err
		}
		err = with(ctx, func(n *netfilter) error {
			generation, err := n.generation()
			if err != nil {
				return err
			}
			return do(n, generation)
		})
		if !errors.Is(err, errChanged) {
			return err
		}
	}
	return err
}

// look does what only looks at the rules, until nobody else changed them meanwhile: what it found before that does not count.
func look(ctx context.Context, do func(n *netfilter) error) error {
	return retry(ctx, func(n *netfilter, generation uint32) error {
		if err := do(n); err != nil {
			return err
		}
		return n.batch(generation, nil)
	})
}
