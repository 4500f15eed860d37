package command

import "github.com/distgate/distgate/approval"

// votingOn is who decides on releases for an index: the same for each, but for one
// to rehearse on, where the policy may ask nobody.
func (p policy) votingOn(index string) approval.Policy {
	voting := p.approval
	if p.table.Index[index].Votes != nil {
		voting.Need, voting.Rehearsal = 0, true
	}
	return voting
}

// checkRehearsals lets no index do without votes that users install from.
func (p policy) checkRehearsals() error {
	for name, t := range p.table.Index {
		switch {
		case t.Votes == nil:
		case *t.Votes != 0:
			return p.refuse("index."+name+".votes", "0, or no such key: how many people must approve says approval.need", "another number")
		case p.address(name).Audience == "pypi":
			return p.refuse("index."+name+".votes", "no such key: on PyPI nothing is released without votes", "0")
		}
	}
	return nil
}
