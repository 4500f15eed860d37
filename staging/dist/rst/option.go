package rst

import (
	"regexp"
	"strconv"
	"strings"
)

// value is that of an option of a directive; one that is not given has no text.
type value struct {
	text  string
	given bool
}

// judged is what there is to say of a value: good, bad, or that it is not known.
type judged int

const (
	good judged = iota
	bad
	unknown
)

// conversion judges a value, as the functions of docutils.parsers.rst.directives do.
type conversion func(value) judged

func anything(value) judged { return good }

func something(v value) judged { return must(v.given) }

func must(is bool) judged {
	if is {
		return good
	}
	return bad
}

func aFlag(v value) judged { return must(trim(v.text) == "") }

// aClass wants names that something of ASCII is left of.
func aClass(v value) judged {
	if !v.given {
		return bad
	}
	for _, one := range fields(v.text) {
		letter := strings.IndexFunc(strings.ToLower(one), func(r rune) bool { return r >= 'a' && r <= 'z' })
		ascii := strings.IndexFunc(one, func(r rune) bool { return r > 0x7f }) < 0
		if letter < 0 && ascii {
			return bad
		}
		if letter < 0 || strings.HasPrefix(strings.ToLower(one), "language-") { // which has quotes of its own, or none
			return unknown
		}
	}
	return good
}

func anInt(least int) conversion {
	return func(v value) judged {
		n, ok := pythonInt(v.text)
		if !ok && strings.IndexFunc(v.text, func(r rune) bool { return r > 0x7f }) >= 0 || len(v.text) > 15 {
			return unknown
		}
		return must(v.given && ok && n >= least)
	}
}

func aPercentage(v value) judged {
	v.text = strings.TrimRight(v.text, " %")
	return anInt(0)(v)
}

func oneOf(choices ...string) conversion {
	return func(v value) judged {
		text := strings.ToLower(trim(v.text))
		for _, c := range choices {
			if v.given && c == text {
				return good
			}
		}
		return bad
	}
}

// measure is a number and a unit of CSS.
var measure = regexp.MustCompile(`^(-?[0-9.]+) *([a-zA-Zµ]*|%?)$`)

func aLength(units string) conversion {
	return func(v value) judged {
		form := measure.FindStringSubmatch(v.text)
		if form == nil {
			return bad
		}
		number, err := strconv.ParseFloat(form[1], 64)
		if err != nil || number < 0 {
			return bad
		}
		for _, unit := range append(strings.Fields("em ex ch rem vw vh vmin vmax cm mm Q in pt pc px"), strings.Fields(units)...) {
			if unit == form[2] {
				return good
			}
		}
		return must(form[2] == "")
	}
}

// widths reads those of columns, or the words that stand for them.
func widths(words ...string) conversion {
	return func(v value) judged {
		for _, w := range words {
			if v.given && v.text == w {
				return good
			}
		}
		if !v.given {
			return unknown // docutils fails
		}
		for _, one := range widthList(v.text) {
			if j := anInt(1)(value{one, true}); j != good {
				return j
			}
		}
		return good
	}
}

func widthList(text string) []string {
	if strings.Contains(text, ",") {
		return strings.Split(text, ",")
	}
	return fields(text)
}
