package main

import (
	"slices"
	"testing"
)

func TestRounds(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 10: {10}, 60: {10, 50, 60}, 200: {10, 50, 100, 200}} {
		if got := rounds(n); !slices.Equal(got, want) {
			t.Errorf("rounds(%d) = %v; want %v", n, got, want)
		}
	}
	for _, args := range [][]string{nil, {"leave"}, {"join", "--nodes", "0"}, {"join", "--nodes", "many"}, {"all", "--pairs", "0"}, {"all", "x"}} {
		if run(args) == nil {
			t.Errorf("no error for %v", args)
		}
	}
}
