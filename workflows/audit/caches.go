package audit

import (
	"slices"
	"strings"
)

var releaseCaches = Rule{
	ID:    "cache-poisoning",
	Title: "nothing that the release runs reads or fills a cache",
	Why: "A cache is written by one run and believed by the next, across jobs and branches. Ultralytics (2024) and TanStack " +
		"(2026) built bad releases from their own clean source, out of a cache that a pull request had filled.",
	Looks:  InWorkflow,
	Theirs: []string{"zizmor cache-poisoning"},
	Fix: "Take actions/cache out of the workflows that build and publish, and switch off the caches of setup actions: " +
		"setup-go has cache: false, setup-uv enable-cache: false, setup-node package-manager-cache: false.",
	judge: steps(releaseGraph, func(s *step) []Spot {
		if how := s.caches(); how != "" {
			return []Spot{s.spot(how)}
		}
		return nil
	}),
}

// cacheRow says how an action comes to use a cache. With neither input it
// always does.
type cacheRow struct {
	action string // without a ref
	unless string // it does, unless this input switches it off
	off    string // what switches it off; "" is false
	only   string // it does only if this input is given
}

var caching = []cacheRow{
	{action: "actions/cache", unless: "lookup-only", off: "true"},
	{action: "actions/cache/restore", unless: "lookup-only", off: "true"},
	{action: "actions/cache/save"},
	{action: "actions/setup-go", unless: "cache"},
	{action: "actions/setup-node", unless: "package-manager-cache"},
	{action: "astral-sh/setup-uv", unless: "enable-cache"},
	{action: "hynek/setup-cached-uv"},
	{action: "prefix-dev/setup-pixi", unless: "cache"},
	{action: "pre-commit/action"},
	{action: "Swatinem/rust-cache", unless: "lookup-only", off: "true"},
	{action: "actions-rust-lang/setup-rust-toolchain", unless: "cache"},
	{action: "Mozilla-Actions/sccache-action"},
	{action: "hendrikmuhs/ccache-action"},
	{action: "docker/setup-buildx-action", unless: "cache-binary"},
	{action: "gradle/actions/setup-gradle", unless: "cache-disabled", off: "true"},
	{action: "gradle/gradle-build-action", unless: "cache-disabled", off: "true"},
	{action: "ramsey/composer-install", unless: "ignore-cache", off: "true"},
	{action: "golangci/golangci-lint-action", unless: "skip-cache", off: "true"},
	{action: "jdx/mise-action", unless: "cache"},
	{action: "mlugg/setup-zig", unless: "use-cache"},
	{action: "DeterminateSystems/magic-nix-cache-action"},
	{action: "nix-community/cache-nix-action"},
	{action: "cachix/cachix-action"},
	{action: "awalsh128/cache-apt-pkgs-action"},
	{action: "PyO3/maturin-action", only: "sccache"},
}

// caches says how a step uses a cache, "" if nothing shows that it does. An
// action that is not in the table uses one if an input about caches is set.
func (s *step) caches() string {
	uses := s.uses()
	for _, row := range caching {
		if fits(uses, []string{row.action}) {
			return row.judge(s, uses)
		}
	}
	if i, ok := s.cacheInput(); ok {
		return uses + ", " + i
	}
	return ""
}

func (row cacheRow) judge(s *step, uses string) string {
	off := row.off
	if off == "" {
		off = "false"
	}
	if row.unless != "" {
		if v, ok := s.with(row.unless); ok && (strings.EqualFold(value(v), off) || off == "true" && value(v) == "1") {
			return ""
		}
		return uses + ", without " + row.unless + ": " + off
	}
	if row.only != "" {
		if v, ok := s.with(row.only); ok && isOn(value(v)) {
			return uses + ", " + row.only + ": " + value(v)
		}
		return ""
	}
	return uses
}

// cacheInput is an input that has to do with a cache and is not off.
func (s *step) cacheInput() (string, bool) {
	var names []string
	for _, name := range s.inputs() {
		v, _ := s.with(name)
		if strings.Contains(name, "cache") && !strings.Contains(name, "no-cache") && isOn(value(v)) {
			names = append(names, name+": "+value(v))
		}
	}
	if len(names) == 0 {
		return "", false
	}
	slices.Sort(names)
	return names[0], true
}

func isOn(v string) bool {
	v = strings.ToLower(strings.TrimSpace(v))
	return v != "" && v != "false" && v != "none" && v != "0" && v != "never"
}
