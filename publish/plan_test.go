package publish

import (
	"testing"

	"github.com/distgate/distgate/staging/dist"
)

func TestTheNextVersionRepairsTheLastNumber(t *testing.T) {
	for version, want := range map[string]string{
		"1": "1.0.1", "1.0": "1.0.1", "2.4.2": "2.4.3", "2.4.9": "2.4.10", "1.0rc1": "1.0rc2", "1.0a9": "1.0a10",
		"1.0.post1": "1.0.post2", "1.0.dev3": "1.0.dev4", "1!2.0.1": "1!2.0.2", "2026.11.21.1": "2026.11.21.2", "1.0+local.1": "1.0.1",
	} {
		v, err := dist.ParseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		if got := next(v, nil); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}

func TestTheNextVersionIsOneThatNobodyUsed(t *testing.T) {
	v, err := dist.ParseVersion("1.0")
	if err != nil {
		t.Fatal(err)
	}
	if got := next(v, []string{"0.9", "1.0", "1.0.1.0", "junk", "1.0.2"}); got != "1.0.3" {
		t.Errorf("got %s", got)
	}
}

func TestThePageToYankAt(t *testing.T) {
	v, err := dist.ParseVersion("1!2.0+x")
	if err != nil {
		t.Fatal(err)
	}
	if got := PyPI().YankPage("widget", v); got != "https://pypi.org/manage/project/widget/release/1%212.0+x/" &&
		got != "https://pypi.org/manage/project/widget/release/1!2.0+x/" {
		t.Errorf("got %s", got)
	}
	if got := (Address{Name: "local"}).YankPage("widget", v); got != "" {
		t.Errorf("got %s", got)
	}
}
