package bench

import (
	"math"
	"slices"
	"time"
)

// Distribution of times, in seconds.
type Distribution struct {
	Min, Median, P90, P99, Max float64
}

// DistributionOf is that of some times; zero of none. Percentiles are by nearest rank: each is one of the times.
func DistributionOf(times []time.Duration) Distribution {
	if len(times) == 0 {
		return Distribution{}
	}
	sorted := slices.Sorted(slices.Values(times))
	at := func(percent float64) float64 {
		rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
		return sorted[max(rank, 1)-1].Seconds()
	}
	return Distribution{Min: at(0), Median: at(50), P90: at(90), P99: at(99), Max: at(100)}
}
