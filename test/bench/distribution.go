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

// DistributionOf is that of some times; zero of none. The percentiles but the median are by nearest rank: each is one of the times.
func DistributionOf(times []time.Duration) Distribution {
	if len(times) == 0 {
		return Distribution{}
	}
	sorted := make([]float64, len(times))
	for i, t := range slices.Sorted(slices.Values(times)) {
		sorted[i] = t.Seconds()
	}
	at := func(percent float64) float64 {
		rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
		return sorted[max(rank, 1)-1]
	}
	return Distribution{Min: at(0), Median: median(sorted), P90: at(90), P99: at(99), Max: at(100)}
}
