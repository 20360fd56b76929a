package bench

import (
	"testing"
	"time"
)

func TestDistributionOf(t *testing.T) {
	var hundred []time.Duration
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i)*time.Second)
	}
	for _, tc := range []struct {
		times []time.Duration
		want  Distribution
	}{
		{nil, Distribution{}},
		{[]time.Duration{2500 * time.Millisecond}, Distribution{2.5, 2.5, 2.5, 2.5, 2.5}},
		{hundred, Distribution{1, 50.5, 90, 99, 100}},
		{hundred[90:], Distribution{1, 5.5, 9, 10, 10}}, // one to ten
	} {
		if got := DistributionOf(tc.times); got != tc.want {
			t.Errorf("of %d times: %+v; want %+v", len(tc.times), got, tc.want)
		}
	}
	if hundred[0] != 100*time.Second {
		t.Error("the times were sorted in place")
	}
}
