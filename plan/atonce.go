package plan

import (
	"errors"
	"sync"
)

// EachAtOnce does n things, at most atOnce of them at the same time, and returns their errors, joined in their order.
func EachAtOnce(n, atOnce int, do func(i int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
